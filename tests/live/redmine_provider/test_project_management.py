"""Shows what the provider makes of Redmine's tasks, their progress and hours, and of those who may not see them."""

from __future__ import annotations

from typing import Any

import pytest

from pv_testing.core.errors import AuthenticationError, ConfigError, NetworkError
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.integrations.client import SystemClient
from pv_testing.ledger import Ledger
from sandbox.proxy import serve_proxy
from tests.live.carrying import LOST, carry, fresh
from tests.live.redmine import plan
from tests.live.test_redmine_facts import STRANGER_KEY, Caller, setting

pytestmark = pytest.mark.live


def task(client: SystemClient, sr: str, **data: Any) -> Outcome:
    known = {"sr_number": sr, "title": f"Test {sr}", "description": "Twelve modules", "start_date": "2025-11-01"}
    return carry(client, "create_task", sr, **{**known, "due_date": "2025-12-01", **data})


def subtask(client: SystemClient, sr: str, parent: str, protocol: str = "PVTP-018", **data: Any) -> Outcome:
    known = {"sr_number": sr, "protocol_id": protocol, "parent_task_id": parent, "title": f"{sr} {protocol}"}
    return carry(client, "create_subtask", f"{sr}/{protocol}", **{**known, "estimated_hours": 840, **data})


def move(client: SystemClient, key: str, number: str, status: str, **data: Any) -> Outcome:
    return carry(client, "update_task", key, task_key=key, task_id=number, status=status, **data)


def hours(client: SystemClient, execution: str, number: str, amount: float = 1.5, **data: Any) -> Outcome:
    known = {"execution_id": execution, "task_id": number, "date": "2025-11-20", "hours": amount}
    return carry(client, "log_time_entry", execution, **{**known, "description": "PVTP-018 on SN001", **data})


def chamber(
    client: SystemClient, execution: str, number: str, amount: float = 840, equipment: str = "CH-01"
) -> Outcome:
    known = {"execution_id": execution, "task_id": number, "date": "2025-11-20", "usage_hours": amount}
    key = f"{execution}/{equipment}"
    return carry(client, "log_resource_usage", key, resource_type="Equipment", resource_id=equipment, **known)


# Tasks


def test_a_task_and_its_subtask_have_what_the_laboratory_planned(pm, lab, sr):
    main = task(pm, sr, assignee=plan.OPERATOR_MAIL.upper())
    assert main.result is Result.CREATED
    sub = subtask(pm, sr, main.external_id)
    issue = lab.issue(int(main.external_id))
    assert (issue["project"]["id"], issue["tracker"]["name"]) == (lab.project, "Task")
    assert (issue["start_date"], issue["due_date"]) == ("2025-11-01", "2025-12-01")
    assert issue["assigned_to"]["id"] == lab.users[plan.OPERATOR]
    assert issue["description"].splitlines()[:3] == ["Twelve modules", "", f"* Service request: {sr}"]
    child = lab.issue(int(sub.external_id))
    assert (child["parent"]["id"], child["estimated_hours"]) == (issue["id"], 840)


@pytest.mark.parametrize("mail", ["nobody@laboratory.example", plan.SHY_MAIL])
def test_an_assignee_whom_redmine_does_not_show_is_named_in_the_description(pm, lab, sr, mail):
    issue = lab.issue(int(task(pm, sr, assignee=mail).external_id))
    assert "assigned_to" not in issue
    assert f"* Planned for: {mail}" in issue["description"]


def test_a_task_that_the_ledger_has_forgotten_is_found_and_not_made_again(connect, lab, sr):
    first = task(connect(), sr)
    second = task(connect(), sr)
    assert (second.result, second.external_id) == (Result.ADOPTED, first.external_id)
    assert len(lab.find(sr)) == 1


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_is_looked_up_and_the_task_made_once(redmine, connect, lab, sr, kind):
    with serve_proxy(redmine.url) as proxy:
        client = connect(url=proxy.url)
        proxy.faults({"route": "POST /issues.json", "kind": kind, "times": 1})
        assert task(client, sr).result.in_effect
    assert len(lab.find(sr)) == 1


def test_a_changed_task_is_changed_in_place_and_leaves_the_assignee_to_redmine(pm, lab, sr):
    number = int(task(pm, sr, assignee=plan.OPERATOR_MAIL).external_id)
    lab.change(f"/issues/{number}.json", {"issue": {"assigned_to_id": ""}})
    assert task(pm, sr, assignee=plan.OPERATOR_MAIL, due_date="2025-12-24").result is Result.UPDATED
    issue = lab.issue(number)
    assert issue["due_date"] == "2025-12-24"
    assert "assigned_to" not in issue


def test_a_task_that_was_deleted_goes_on_in_the_one_that_a_person_makes(redmine, connect, lab, sr, tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
        pm = connect(ledger=ledger)
        number = task(pm, sr).external_id
        with Caller(redmine, plan.ADMIN_KEY) as admin:
            assert admin.delete(f"{redmine.url}/issues/{number}.json", timeout=60).status_code == 204
        assert task(pm, sr, due_date="2025-12-24").code == "ISSUE_GONE"
        substitute = str(lab.make(sr)["id"])
        ledger.confirm("pm", "task", sr, substitute, owner="ada")
        changed = task(pm, sr, due_date="2025-12-31")
    assert (changed.result, changed.external_id) == (Result.UPDATED, substitute)
    assert lab.issue(int(substitute))["due_date"] == "2025-12-31"


def test_hours_that_were_deleted_go_on_in_those_that_a_person_enters(redmine, connect, lab, sr, tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
        pm = connect(ledger=ledger)
        main, execution = task(pm, sr).external_id, fresh()
        number = hours(pm, execution, main).external_id
        with Caller(redmine, plan.ADMIN_KEY) as admin:
            assert admin.delete(f"{redmine.url}/time_entries/{number}.json", timeout=60).status_code == 204
        assert hours(pm, execution, main, 2).code == "ENTRY_GONE"
        substitute = str(lab.entry(execution, 1, issue_id=int(main)).json()["time_entry"]["id"])
        ledger.confirm("pm", "time_entry", execution, substitute, owner="ada")
        assert hours(pm, execution, main, 3).result is Result.UPDATED
    assert [entry["hours"] for entry in lab.entries(execution)] == [3]


def test_a_key_that_two_issues_carry_waits_for_a_person(connect, lab, sr):
    task(connect(), sr)
    lab.make(sr)
    assert task(connect(), sr).code == "DUPLICATE_IN_SYSTEM"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"project_id": "PROJ-NOT-THERE"}, "PROJECT_UNKNOWN"),
        ({"title": "x" * 256}, "TOO_LONG"),
        ({"start_date": "2025-12-02"}, "HTTP_422"),
    ],
)
def test_a_task_that_redmine_would_refuse_waits_for_a_person(pm, lab, sr, data, code):
    outcome = task(pm, sr, **data)
    assert (outcome.code, outcome.result.in_effect) == (code, False)
    assert lab.find(sr) == []


def test_a_project_is_found_however_its_identifier_is_written(connect, lab, sr):
    issue = lab.issue(int(task(connect(project=""), sr, project_id=plan.PROJECT.upper()).external_id))
    assert issue["project"]["id"] == lab.project


def test_a_task_without_any_project_waits_for_a_person(connect, sr):
    assert task(connect(project=""), sr).code == "PROJECT_MISSING"


def test_a_tracker_that_is_not_there_is_not_replaced_by_another(connect, lab, sr):
    assert task(connect(mappings={"task_tracker": "Errand"}), sr).code == "TRACKER_UNKNOWN"
    assert lab.find(sr) == []


def test_a_subtask_of_a_parent_that_is_gone_waits_for_a_person(pm, lab, sr):
    assert subtask(pm, sr, "999999").code == "HTTP_422"
    assert lab.find(f"{sr}/PVTP-018") == []


def test_tasks_are_listed_in_the_projects_words(pm, lab, sr):
    main = task(pm, sr)
    sub = subtask(pm, sr, main.external_id)
    (found,) = pm.list("get_tasks", external_id=f"{sr}/PVTP-018", project_id=plan.PROJECT)
    assert found["id"] == sub.external_id
    assert (found["parent_id"], found["estimated_hours"], found["status"]) == (main.external_id, 840, "New")
    assert pm.call("get_task", task_id=main.external_id)["external_id"] == sr
    assert [item["external_id"] for item in pm.list("get_tasks", external_id=sr, status="OPEN")] == [sr]
    assert pm.list("get_tasks", external_id=sr, status="COMPLETE") == []


def test_the_guides_words_are_understood_by_project_management(pm, lab, sr):
    main = pm.create_task(project_id=plan.PROJECT, title=f"PV Testing - {sr}", due_date="2027-12-01")["id"]
    sub = pm.create_subtask(parent_task_id=main, title="PVTP-018: Thermal cycling", estimated_hours=840)["id"]
    pm.log_time_entry(task_id=sub, user=plan.OPERATOR_MAIL, date="2025-11-20", hours=2, description="set up")
    pm.log_resource_usage(task_id=sub, resource_id="CH 01/b", usage_hours=840, date="2025-11-20")
    pm.update_task(task_id=sub, status="COMPLETE", completion_date="2025-12-25", actual_hours=2, notes="passed")
    pm.update_project_progress(plan.PROJECT, 99.9, task_id=main)
    assert (pm.find_task(sr)["id"], pm.find_task(sr)["progress_percent"]) == (main, 99)
    assert (pm.find_task(f"{sr}/PVTP-018")["parent_id"], lab.issue(int(sub))["done_ratio"]) == (main, 100)
    (used,) = pm.list("get_resource_usage", task_id=sub)
    assert (used["resource_type"], used["resource_id"], used["usage_hours"]) == ("Equipment", "CH 01/b", 840)
    assert [entry["hours"] for entry in pm.list("get_time_entries", task_id=sub)] == [2]


# Status and progress


def test_a_task_is_completed_once_with_one_note(connect, lab, sr):
    main = task(connect(), sr)
    sub = subtask(connect(), sr, main.external_id).external_id
    given = {"completion_date": "2025-11-20", "actual_hours": 2.5, "notes": "QC: FAIL"}
    for _ in range(2):
        assert move(connect(), f"{sr}/PVTP-018", sub, "COMPLETE", **given).result.in_effect
    issue = lab.issue(int(sub), include="journals")
    assert (issue["status"]["name"], issue["done_ratio"]) == ("Closed", 100)
    assert [entry["notes"] for entry in issue["journals"]] == ["QC: FAIL\n\n* Completed: 2025-11-20"]


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_to_a_change_leaves_one_note(redmine, connect, lab, sr, kind):
    main = task(connect(), sr)
    with serve_proxy(redmine.url) as proxy:
        client = connect(url=proxy.url)
        proxy.faults({"route": "PUT /issues/*", "kind": kind, "times": 1})
        assert move(client, sr, main.external_id, "IN_PROGRESS", notes="begun").result.in_effect
    issue = lab.issue(int(main.external_id), include="journals")
    assert issue["status"]["name"] == "In Progress"
    assert [entry["notes"] for entry in issue["journals"]] == ["begun"]


def test_a_task_that_is_taken_up_again_is_not_complete_any_more(pm, lab, sr):
    main = task(pm, sr).external_id
    move(pm, sr, main, "COMPLETE")
    move(pm, sr, main, "IN_PROGRESS")
    issue = lab.issue(int(main))
    assert (issue["status"]["name"], issue["done_ratio"]) == ("In Progress", 0)


def test_a_main_task_with_open_subtasks_waits_and_is_closed_after_them(connect, lab, sr):
    pm = connect()
    main = task(pm, sr).external_id
    sub = subtask(pm, sr, main).external_id
    assert move(pm, sr, main, "COMPLETE").code == "WORKFLOW"
    move(pm, f"{sr}/PVTP-018", sub, "COMPLETE")
    assert pm.exchange("update_task", [Record(sr, {"task_id": main, "status": "COMPLETE"})], replay=True).outcomes
    assert lab.issue(int(main))["status"]["name"] == "Closed"


def test_a_status_that_the_workflow_forbids_waits_for_a_person(connect, sr):
    pm = connect(mappings={"complete_status": "Rejected"})
    assert move(pm, sr, task(pm, sr).external_id, "COMPLETE").code == "WORKFLOW"


def test_a_task_that_was_deleted_waits_for_a_person(pm, sr):
    assert move(pm, sr, "999999", "COMPLETE").code == "ISSUE_GONE"


def test_progress_is_written_in_whole_per_cents_and_never_too_early(pm, lab, sr):
    main = task(pm, sr).external_id
    subtask(pm, sr, main)
    for given, shown in ((66.6, 66), (99.9, 99), (100, 100)):
        assert carry(pm, "update_project_progress", sr, task_id=main, progress_percent=given).result.in_effect
        assert lab.issue(int(main))["done_ratio"] == shown


def test_progress_that_redmine_computes_itself_waits_for_a_person(redmine, pm, sr):
    main = task(pm, sr).external_id
    subtask(pm, sr, main)
    with setting(redmine, "parent_issue_done_ratio", "derived"):
        outcome = carry(pm, "update_project_progress", sr, task_id=main, progress_percent=50)
    assert (outcome.result, outcome.code) == (Result.REJECTED, "PROGRESS_DERIVED")


# Hours


def test_hours_of_operators_and_of_equipment_are_apart(pm, lab, sr):
    main = task(pm, sr).external_id
    sub = subtask(pm, sr, main).external_id
    execution = fresh()
    assert hours(pm, execution, sub, 2, user=plan.OPERATOR_MAIL).result is Result.CREATED
    assert chamber(pm, execution, sub, 840).result is Result.CREATED
    assert lab.issue(int(main))["total_spent_hours"] == 2
    (worked,) = pm.list("get_time_entries", task_id=sub)
    assert (worked["external_id"], worked["hours"], worked["user"]) == (execution, 2, "Ada Live")
    (used,) = pm.list("get_resource_usage", task_id=sub)
    assert (used["external_id"], used["usage_hours"], used["resource_id"]) == (f"{execution}/CH-01", 840, "CH-01")
    assert pm.list("get_time_entries", external_id=f"{execution}/CH-01") == []


def test_hours_are_rounded_so_that_the_total_is_what_the_entries_say(pm, lab, sr):
    main = task(pm, sr).external_id
    for _ in range(3):
        hours(pm, fresh(), main, 1.333333)
    assert lab.issue(int(main))["spent_hours"] == pytest.approx(3.99, abs=1e-9)
    assert hours(pm, fresh(), main, 0.125).body["hours"] == 0.13


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_is_looked_up_and_the_hours_entered_once(redmine, connect, lab, sr, kind):
    main = task(connect(), sr).external_id
    execution = fresh()
    with serve_proxy(redmine.url) as proxy:
        client = connect(url=proxy.url)
        proxy.faults({"route": "POST /time_entries.json", "kind": kind, "times": 1})
        assert hours(client, execution, main).result.in_effect
    assert [entry["hours"] for entry in lab.entries(execution)] == [1.5]


# Those that are no whole minutes look different in Redmine 6.
@pytest.mark.parametrize("amount", [1.5, 0.01, 1.54])
def test_hours_that_the_ledger_has_forgotten_are_found(connect, lab, sr, amount):
    main = task(connect(), sr).external_id
    execution = fresh()
    first, second = (hours(connect(), execution, main, amount) for _ in range(2))
    assert (second.result, second.external_id) == (Result.ADOPTED, first.external_id)


@pytest.mark.parametrize("amount", [2.25, 0.04, 2.29])
def test_corrected_hours_are_corrected_in_place(pm, lab, sr, amount):
    main = task(pm, sr).external_id
    execution = fresh()
    hours(pm, execution, main, 1.5)
    assert hours(pm, execution, main, amount).result is Result.UPDATED
    assert lab.issue(int(main))["spent_hours"] == pytest.approx(amount, abs=1e-9)


def test_a_small_correction_that_never_arrived_is_made_by_the_next_attempt(redmine, connect, lab, sr):
    with serve_proxy(redmine.url) as proxy:
        pm = connect(url=proxy.url)
        main, execution = task(pm, sr).external_id, fresh()
        # Redmine 6 shows both in the same minute.
        hours(pm, execution, main, 0.03)
        proxy.faults({"route": "PUT /time_entries/*", "kind": "drop_before"})
        with pytest.raises(NetworkError):
            hours(pm, execution, main, 0.04)
        proxy.faults()
        assert hours(pm, execution, main, 0.04).result.in_effect
    assert lab.issue(int(main))["spent_hours"] == pytest.approx(0.04, abs=1e-9)


def test_hours_of_someone_who_is_not_there_wait_for_a_person(pm, lab, sr):
    main = task(pm, sr).external_id
    execution = fresh()
    outcome = hours(pm, execution, main, user=plan.SHY_MAIL)
    assert (outcome.result, outcome.code) == (Result.REJECTED, "USER_UNKNOWN")
    assert lab.entries(execution) == []


def test_a_thousand_hours_are_entered_and_what_a_day_does_not_take_waits(redmine, pm, lab, sr):
    main = task(pm, sr).external_id
    execution = fresh()
    assert chamber(pm, execution, main, 1000, "UV-01").result is Result.CREATED
    with setting(redmine, "timelog_max_hours_per_day", "999"):
        outcome = chamber(pm, execution, main, 1000, "UV-02")
    assert outcome.result is Result.REJECTED
    assert "999" in outcome.reason


# Connections


def test_a_wrong_key_is_an_error_and_not_an_empty_redmine(connect, lab, sr):
    with pytest.raises(AuthenticationError):
        connect(api_key=STRANGER_KEY).identity()
    with pytest.raises(AuthenticationError):
        task(connect(api_key=STRANGER_KEY, project=plan.OPEN_HOUSE), sr)
    with pytest.raises(AuthenticationError):
        connect(api_key=STRANGER_KEY).list("get_tasks", external_id=sr)
    assert lab.find(sr) == []


def test_a_user_who_is_no_member_makes_nothing(connect, lab, sr):
    assert task(connect(api_key=plan.GUEST_KEY), sr).code == "PROJECT_UNKNOWN"
    assert lab.find(sr) == []


@pytest.mark.parametrize("number", [0, 99])
def test_a_key_field_that_is_not_one_stops_everything(connect, lab, sr, number):
    lab.make(fresh())
    with pytest.raises(ConfigError, match="issue_key_field"):
        task(connect(options={"issue_key_field": number}), sr)
    assert lab.find(sr) == []


def test_the_connection_says_who_asks(pm, qms):
    assert pm.identity() == qms.identity() == plan.INTEGRATION
