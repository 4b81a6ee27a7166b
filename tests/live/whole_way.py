"""One service request on SENAITE, Redmine and Tryton: how they are reached, and what hits them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.live.redmine import plan as redmine
from tests.live.tryton import plan as tryton
from tests.live.tryton.server import DATABASE
from tests.shipped import impatient

# A request that ends later than both together makes a second record, as docs/explanation/design.md says of the horizon:
# so they are well above what the slowest request took beside other load, and yet so short that a killed attempt's
# leases end soon.
LIMITS = {"attempt_timeout": 12, "total_timeout": 14, "horizon": 3}


def sections(redmine_url: str, tryton_origin: str, fields: Mapping[str, int], directory: Path) -> dict[str, Any]:
    """Return what the configuration says of Redmine and Tryton, with short deadlines.

    Args:
        redmine_url: of the proxy before Redmine.
        tryton_origin: of the proxy before Tryton.
        fields: the numbers of Redmine's key fields.
        directory: where the contracts are written.
    """
    keys = {"issue_key_field": fields["issue"], "time_entry_key_field": fields["time_entry"]}
    projects = {"pm": redmine.PROJECT, "qms": redmine.QUALITY}
    configuration: dict[str, Any] = {
        system: {
            "provider": "Redmine",
            "contract": str(impatient(f"{system}_redmine", directory, **LIMITS)),
            "base_url": redmine_url,
            "auth_type": "api_key",
            "api_key": redmine.INTEGRATION_KEY,
            "options": {"project": project, **keys},
        }
        for system, project in projects.items()
    }
    configuration["erp"] = {
        "provider": "Tryton",
        "contract": str(impatient("erp_tryton", directory, **LIMITS)),
        "base_url": f"{tryton_origin}/{DATABASE}",
        "auth_type": "basic",
        "username": tryton.INTEGRATION,
        "password": tryton.INTEGRATION_PASSWORD,
    }
    return configuration


def storm(rate: float, *routes: str, holding: str = "") -> list[dict[str, Any]]:
    """Return the faults that hit writes: answers lost, requests that never arrive, errors before and after a commit.

    Args:
        rate: the share of writes whose answer is lost after the commit; the others are rarer.
        routes: the writes.
        holding: text that the body of such a write holds, where every request is a POST.
    """
    kinds: list[dict[str, Any]] = [
        {"kind": "drop_after", "rate": rate},
        {"kind": "drop_before", "rate": rate / 4},
        {"kind": "error", "status": 500, "rate": rate / 4},
        {"kind": "error", "status": 500, "when": "after", "rate": rate / 4},
        {"kind": "truncate", "rate": rate / 4},
        {"kind": "rate_limit", "retry_after": 0.5, "rate": rate / 4},
    ]
    return [
        {"route": route, "holding": holding, "seed": seed, **kind}
        for route in routes
        for seed, kind in enumerate(kinds, start=1)
    ]
