"""What the laboratory of the live tests has in its Redmine: users, projects, trackers, fields and settings."""

from __future__ import annotations

from typing import Any

from sandbox.framework.app import USERS

ADMIN, ADMIN_PASSWORD, ADMIN_KEY = "admin", "live-Admin-1", "a" * 40
INTEGRATION, INTEGRATION_KEY = "integration", "1" * 40
GUEST, GUEST_KEY = "guest", "9" * 40
OPERATOR, OPERATOR_MAIL = "ada", "ada.volt@laboratory.example"
SHY, SHY_MAIL = "shy", "shy.watt@laboratory.example"
PROJECT, QUALITY, OPEN_HOUSE = "pv-lab", "quality", "open-house"
# The projects that service requests 77 and 78 of the sandbox's framework name, and that framework's people.
REQUESTED = ("proj-2025-077", "proj-2025-078")
STAFF = [(login, mail) for _, login, mail, _, role, active in USERS if active and role in {"operator", "manager"}]
KEY_FIELD = "External key"
TRACKERS = ("Task", "Non-conformance", "CAPA")
ACTIVITIES = ("Testing", "Equipment usage")


def plan() -> dict[str, Any]:
    """Return what the seed makes, as ``docs/how-to/redmine.md`` tells a laboratory to."""
    return {
        "settings": {
            "rest_api_enabled": "1",
            "login_required": "0",
            "parent_issue_dates": "independent",
            "parent_issue_priority": "independent",
            "parent_issue_done_ratio": "independent",
            "timelog_max_hours_per_day": "0",
        },
        "admin": {"login": ADMIN, "password": ADMIN_PASSWORD, "key": ADMIN_KEY},
        "key_field": KEY_FIELD,
        "trackers": list(TRACKERS),
        "activities": list(ACTIVITIES),
        "role": {
            "name": "Integration",
            "permissions": [
                "view_issues",
                "add_issues",
                "edit_issues",
                "add_issue_notes",
                "manage_subtasks",
                "view_time_entries",
                "log_time",
                "log_time_for_other_users",
                "edit_time_entries",
            ],
            # In this laboratory only people may reject an issue.
            "forbidden_status": "Rejected",
        },
        "users": [
            {
                "login": INTEGRATION,
                "mail": "integration@laboratory.example",
                "key": INTEGRATION_KEY,
                "role": "Integration",
            },
            {"login": OPERATOR, "mail": OPERATOR_MAIL, "role": "Developer"},
            {"login": SHY, "mail": SHY_MAIL, "hide_mail": True, "role": "Developer"},
            {"login": GUEST, "mail": "guest@laboratory.example", "key": GUEST_KEY},
            *({"login": login, "mail": mail, "role": "Developer"} for login, mail in STAFF),
        ],
        "projects": [
            {"identifier": PROJECT, "public": False},
            {"identifier": QUALITY, "public": False},
            {"identifier": OPEN_HOUSE, "public": True},
            *({"identifier": identifier, "public": False} for identifier in REQUESTED),
        ],
    }
