"""Shows on a running Redmine the facts of docs/how-to/redmine.md that the provider relies on, without the provider."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from tests.live.redmine import plan
from tests.live.redmine.releases import FIVE, SIX
from tests.live.redmine.server import Server

pytestmark = pytest.mark.live

STRANGER_KEY = "0" * 40


class Caller(requests.Session):
    """One user of Redmine's API."""

    def __init__(self, server: Server, key: str) -> None:
        super().__init__()
        self.trust_env = False
        self.headers["X-Redmine-API-Key"] = key
        self.base = server.url

    def read(self, path: str, **params: Any) -> requests.Response:
        return self.get(self.base + path, params=params, timeout=60)

    def write(self, path: str, body: Any) -> requests.Response:
        return self.post(self.base + path, json=body, timeout=60)

    def change(self, path: str, body: Any) -> requests.Response:
        return self.put(self.base + path, json=body, timeout=60)

    def listed(self, path: str, root: str, **params: Any) -> list[dict[str, Any]]:
        """Return a whole listing."""
        items: list[dict[str, Any]] = []
        while True:
            page = self.read(path, limit=100, offset=len(items), **params).json()
            items += page[root]
            if len(items) >= page["total_count"] or not page[root]:
                return items

    def upload(self, content: bytes, filename: str) -> requests.Response:
        headers = {"Content-Type": "application/octet-stream"}
        path = f"{self.base}/uploads.json"
        return self.post(path, params={"filename": filename}, data=content, headers=headers, timeout=60)


class Laboratory(Caller):
    """A caller who knows the numbers of what is set up."""

    def __init__(self, server: Server, key: str = plan.INTEGRATION_KEY) -> None:
        super().__init__(server, key)
        with Caller(server, plan.ADMIN_KEY) as admin:
            fields = admin.read("/custom_fields.json").json()["custom_fields"]
            self.fields = {field["customized_type"]: field["id"] for field in fields}
            users = admin.read("/users.json").json()["users"]
            self.users = {user["login"]: user["id"] for user in users}
        project = self.read(f"/projects/{plan.PROJECT}.json", include="trackers,time_entry_activities").json()[
            "project"
        ]
        self.project = project["id"]
        self.trackers = {tracker["name"]: tracker["id"] for tracker in project["trackers"]}
        self.activities = {activity["name"]: activity["id"] for activity in project["time_entry_activities"]}
        statuses = self.read("/issue_statuses.json").json()["issue_statuses"]
        self.statuses = {status["name"]: status["id"] for status in statuses}

    def body(self, key: str, **others: Any) -> dict[str, Any]:
        return {
            "issue": {
                "project_id": plan.PROJECT,
                "tracker_id": self.trackers["Task"],
                "subject": f"Facts {key}"[:255],
                "custom_fields": [{"id": self.fields["issue"], "value": key}],
                **others,
            }
        }

    def make(self, key: str, **others: Any) -> dict[str, Any]:
        made = self.write("/issues.json", self.body(key, **others))
        assert made.status_code == 201, made.text
        return dict(made.json()["issue"])

    def issue(self, number: int, **params: Any) -> dict[str, Any]:
        return dict(self.read(f"/issues/{number}.json", **params).json()["issue"])

    def find(self, *keys: str) -> list[dict[str, Any]]:
        return self.listed("/issues.json", "issues", sort="id", **filtered(self.fields["issue"], *keys))

    def entry(self, key: str, hours: float, **others: Any) -> requests.Response:
        body = {
            "activity_id": self.activities["Testing"],
            "spent_on": "2025-11-20",
            "hours": hours,
            "custom_fields": [{"id": self.fields["time_entry"], "value": key}],
            **others,
        }
        return self.write("/time_entries.json", {"time_entry": body})

    def entries(self, *keys: str) -> list[dict[str, Any]]:
        return self.listed("/time_entries.json", "time_entries", **filtered(self.fields["time_entry"], *keys))


def filtered(field: int, *keys: str) -> dict[str, Any]:
    """Return the filter by a custom field in the form that reads no operators in the values."""
    return {"f[]": f"cf_{field}", f"op[cf_{field}]": "=", f"v[cf_{field}][]": list(keys)}


@pytest.fixture(scope="module")
def lab(redmine: Server) -> Iterator[Laboratory]:
    with Laboratory(redmine) as caller:
        yield caller


@pytest.fixture(scope="module")
def stranger(redmine: Server) -> Iterator[Caller]:
    with Caller(redmine, STRANGER_KEY) as caller:
        yield caller


@pytest.fixture
def key() -> str:
    """A business key that no other test uses."""
    return f"SR-FACTS/{uuid.uuid4().hex[:12]}"


@contextmanager
def setting(server: Server, name: str, value: str) -> Iterator[None]:
    """Change a setting of Redmine for a while; its API can't."""
    before = str(plan.plan()["settings"][name])
    server.rails(f"Setting[{name!r}] = {value!r}")
    try:
        yield
    finally:
        server.rails(f"Setting[{name!r}] = {before!r}")


def test_a_wrong_key_looks_like_an_empty_system(lab, stranger, key):
    lab.make(key)
    found = stranger.read("/issues.json", **filtered(lab.fields["issue"], key))
    assert (found.status_code, found.json()["total_count"]) == (200, 0)
    assert [p["identifier"] for p in stranger.read("/projects.json").json()["projects"]] == [plan.OPEN_HOUSE]


def test_only_the_current_user_tells_a_stranger(lab, stranger):
    assert lab.read("/users/current.json").json()["user"]["login"] == plan.INTEGRATION
    assert stranger.read("/users/current.json").status_code == 401


def test_a_stranger_writes_nothing(lab, stranger, key):
    assert stranger.write("/issues.json", lab.body(key)).status_code == 401
    assert lab.find(key) == []


@pytest.mark.parametrize("tail", ["~x", "*", "!x", "=x", "a|b", "a,b", "a b", "Ü-1", "<b>5%&c=d", "a/b", "%", "_", " "])
def test_a_key_is_found_at_once_and_exactly(lab, key, tail):
    number = lab.make(key + tail)["id"]
    assert [issue["id"] for issue in lab.find(key + tail)] == [number]
    assert lab.find((key + tail)[:-1]) == []
    assert lab.find((key + tail).swapcase()) == []


def test_many_keys_are_found_in_one_request_in_any_state(lab, key):
    numbers = [lab.make(f"{key}/{place}")["id"] for place in range(3)]
    assert lab.change(f"/issues/{numbers[0]}.json", {"issue": {"status_id": lab.statuses["Closed"]}}).status_code == 204
    wanted = [f"{key}/{place}" for place in range(40)]
    answer = lab.read("/issues.json", **filtered(lab.fields["issue"], *wanted)).json()
    assert sorted(issue["id"] for issue in answer["issues"]) == numbers


def test_the_short_filter_reads_operators_in_a_value(lab, key):
    lab.make(f"~{key}")
    lab.make(f"more {key}")
    short = lab.read("/issues.json", **{f"cf_{lab.fields['issue']}": f"~{key}"}).json()
    assert short["total_count"] == 2


def test_a_filter_that_redmine_does_not_know_is_ignored(lab, key):
    lab.make(key)
    assert lab.read("/issues.json", **filtered(99, key)).json()["total_count"] > 1


def test_a_page_has_a_hundred_at_the_most(lab):
    assert lab.read("/issues.json", limit=1000).json()["limit"] == 100


def test_nothing_is_unique(lab, key):
    assert lab.make(key)["id"] != lab.make(key)["id"]
    assert len(lab.find(key)) == 2


def test_what_redmine_does_not_know_is_left_out_silently(lab, key):
    issue = lab.make(key, tracker_id=99, custom_fields=[{"id": 99, "value": key}])
    assert issue["tracker"]["name"] == "Bug"
    assert [field["value"] for field in issue["custom_fields"]] == [None]


def test_a_start_is_invented_and_a_due_date_before_it_refused(lab, key):
    body = lab.body(key, due_date="2025-12-01")
    assert lab.write("/issues.json", body).status_code == 422
    body["issue"]["start_date"] = ""
    assert lab.write("/issues.json", body).json()["issue"]["start_date"] is None


def test_lines_of_a_description_end_otherwise_when_they_come_back(lab, key):
    number = lab.make(key, description="one\ntwo")["id"]
    assert lab.issue(number)["description"] == "one\r\ntwo"


def test_a_status_that_the_workflow_forbids_is_ignored_with_204(lab, key):
    number = lab.make(key)["id"]
    answer = lab.change(f"/issues/{number}.json", {"issue": {"status_id": lab.statuses["Rejected"]}})
    assert (answer.status_code, answer.content) == (204, b"")
    issue = lab.issue(number, include="allowed_statuses")
    assert issue["status"]["name"] == "New"
    assert "Rejected" not in {status["name"] for status in issue["allowed_statuses"]}


def test_a_parent_with_an_open_subtask_stays_open_with_204(lab, key):
    number = lab.make(key)["id"]
    lab.make(f"{key}/1", parent_issue_id=number)
    answer = lab.change(f"/issues/{number}.json", {"issue": {"status_id": lab.statuses["Closed"]}})
    assert answer.status_code == 204
    issue = lab.issue(number, include="allowed_statuses")
    assert issue["status"]["name"] == "New"
    assert "Closed" not in {status["name"] for status in issue["allowed_statuses"]}


def test_a_note_is_written_as_often_as_it_is_sent(lab, key):
    number = lab.make(key)["id"]
    for _ in range(2):
        assert lab.change(f"/issues/{number}.json", {"issue": {"notes": "hello"}}).status_code == 204
    journals = lab.issue(number, include="journals")["journals"]
    assert [entry["notes"] for entry in journals] == ["hello", "hello"]


def test_progress_is_cut_to_a_whole_number(lab, key):
    number = lab.make(key)["id"]
    assert lab.change(f"/issues/{number}.json", {"issue": {"done_ratio": 33.9}}).status_code == 204
    assert lab.issue(number)["done_ratio"] == 33


def test_a_parents_derived_progress_ignores_ours_with_204(redmine, lab, key):
    number = lab.make(key)["id"]
    child = lab.make(f"{key}/1", parent_issue_id=number, estimated_hours=840)["id"]
    lab.make(f"{key}/2", parent_issue_id=number, estimated_hours=2)
    with setting(redmine, "parent_issue_done_ratio", "derived"):
        assert lab.change(f"/issues/{number}.json", {"issue": {"done_ratio": 50}}).status_code == 204
        assert lab.issue(number)["done_ratio"] == 0
        assert lab.change(f"/issues/{child}.json", {"issue": {"done_ratio": 100}}).status_code == 204
        assert lab.issue(number)["done_ratio"] == 99
    assert lab.change(f"/issues/{number}.json", {"issue": {"done_ratio": 50}}).status_code == 204
    assert lab.issue(number)["done_ratio"] == 50


def test_derived_dates_take_a_parents_own_away(redmine, lab, key):
    number = lab.make(key, start_date="2025-11-01", due_date="2025-12-01")["id"]
    with setting(redmine, "parent_issue_dates", "derived"):
        lab.make(f"{key}/1", parent_issue_id=number)
        assert lab.issue(number)["due_date"] is None
    other = lab.make(f"{key}/b", start_date="2025-11-01", due_date="2025-12-01")["id"]
    lab.make(f"{key}/b1", parent_issue_id=other)
    assert lab.issue(other)["due_date"] == "2025-12-01"


def test_hours_are_shown_with_two_decimals_and_added_up_with_all(lab, key):
    number = lab.make(key)["id"]
    shown = [lab.entry(f"{key}/{n}", 1.333333, issue_id=number).json()["time_entry"]["hours"] for n in range(3)]
    assert shown == [1.33] * 3
    assert lab.issue(number)["spent_hours"] == pytest.approx(3.999999)


@pytest.mark.parametrize(("hours", "in_minutes"), [(0.01, 0.02), (0.04, 0.03), (1.25, 1.25), (2.29, 2.28)])
def test_redmine_6_shows_hours_in_whole_minutes_and_adds_up_what_it_was_given(redmine, lab, key, hours, in_minutes):
    number = lab.make(key)["id"]
    made = lab.entry(key, hours, issue_id=number).json()["time_entry"]
    assert made["hours"] == lab.entries(key)[0]["hours"] == {FIVE: hours, SIX: in_minutes}[redmine.release]
    assert lab.issue(number)["spent_hours"] == pytest.approx(hours, abs=1e-9)


def test_an_issues_spent_time_counts_every_activity_and_goes_up_to_the_parent(lab, key):
    parent = lab.make(key)["id"]
    number = lab.make(f"{key}/1", parent_issue_id=parent)["id"]
    lab.entry(f"{key}/operator", 2, issue_id=number)
    lab.entry(f"{key}/chamber", 840, issue_id=number, activity_id=lab.activities["Equipment usage"])
    assert lab.issue(parent)["total_spent_hours"] == 842
    lab.entry(f"{key}/apart", 840, project_id=lab.project, activity_id=lab.activities["Equipment usage"])
    assert lab.issue(parent)["total_spent_hours"] == 842


def test_a_time_entrys_key_is_found_exactly(lab, key):
    number = lab.make(key)["id"]
    made = lab.entry(f"{key}~*|", 1, issue_id=number).json()["time_entry"]
    assert [entry["id"] for entry in lab.entries(f"{key}~*|", "another")] == [made["id"]]
    assert lab.entries(key) == []


def test_a_day_takes_999_hours_of_one_user_unless_the_setting_says_otherwise(redmine, lab, key):
    number = lab.make(key)["id"]
    with setting(redmine, "timelog_max_hours_per_day", "999"):
        day = {"issue_id": number, "spent_on": "2025-01-07"}
        assert lab.entry(f"{key}/1", 1000, **day).status_code == 422
        assert lab.entry(f"{key}/2", 840, **day).status_code == 201
        refused = lab.entry(f"{key}/3", 840, **day)
        assert refused.status_code == 422
        assert "more than 999" in refused.json()["errors"][0]
    assert lab.entry(f"{key}/4", 1000, **day).json()["time_entry"]["hours"] == 1000


def test_hours_for_someone_who_is_no_member_are_refused(lab, key):
    number = lab.make(key)["id"]
    assert lab.entry(f"{key}/1", 1, issue_id=number, user_id=lab.users[plan.GUEST]).status_code == 422
    made = lab.entry(f"{key}/2", 1, issue_id=number, user_id=lab.users[plan.OPERATOR])
    assert made.json()["time_entry"]["user"]["id"] == lab.users[plan.OPERATOR]


def test_addresses_are_shown_of_those_who_do_not_hide_them(lab):
    assert lab.read("/users.json").status_code == 403
    assert lab.read(f"/users/{lab.users[plan.OPERATOR]}.json").json()["user"]["mail"] == plan.OPERATOR_MAIL
    assert "mail" not in lab.read(f"/users/{lab.users[plan.SHY]}.json").json()["user"]


def test_custom_fields_are_told_to_administrators_only(lab):
    assert lab.read("/custom_fields.json").status_code == 403


def test_a_token_of_an_upload_names_the_digest_and_is_good_once(lab, key):
    number = lab.make(key)["id"]
    token = lab.upload(b"\x89PNG", "chart.png").json()["upload"]["token"]
    assert token.partition(".")[2] == hashlib.sha256(b"\x89PNG").hexdigest()
    body = {"issue": {"uploads": [{"token": token, "filename": "chart.png", "description": "mine"}]}}
    assert lab.change(f"/issues/{number}.json", body).status_code == 204
    assert lab.change(f"/issues/{number}.json", body).status_code == 422
    (attached,) = lab.issue(number, include="attachments")["attachments"]
    assert (attached["description"], attached["filesize"]) == ("mine", 4)
    assert "digest" not in attached


def test_a_file_above_the_setting_is_refused(lab):
    assert lab.upload(b"x" * (6 << 20), "large.bin").status_code == 422


def test_an_unknown_issue_and_a_foreign_project_are_told_apart(redmine, lab, key):
    number = lab.make(key)["id"]
    assert lab.read("/issues/999999.json").status_code == 404
    with Caller(redmine, plan.GUEST_KEY) as guest:
        assert guest.read(f"/issues/{number}.json").status_code == 403
        assert guest.read("/issues.json").json()["total_count"] == 0
