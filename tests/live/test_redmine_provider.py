"""What the provider makes of Redmine's habits, each met on the running system: resolved, or left to a person."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pv_testing.core.errors import AuthenticationError, ConfigError, NetworkError
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.integrations import PMClient, QMSClient
from pv_testing.integrations.client import SystemClient
from pv_testing.ledger import Ledger
from sandbox.proxy import serve_proxy
from tests.live.redmine import plan
from tests.live.redmine.server import Server
from tests.live.test_redmine_facts import STRANGER_KEY, Caller, Laboratory, setting

pytestmark = pytest.mark.live

LOST = ["drop_after", "drop_before", "error", "html", "truncate"]
CHART = b"\x89PNG the chart"


@pytest.fixture(scope="module")
def lab(redmine: Server) -> Iterator[Laboratory]:
    """Redmine's own view of what is there."""
    with Laboratory(redmine) as caller:
        yield caller


Connect = Callable[..., Any]


@pytest.fixture
def connect(redmine: Server, lab: Laboratory) -> Iterator[Connect]:
    """Make clients; without a ledger of its own, each knows nothing of the others."""
    made: list[SystemClient] = []

    def make(kind: type[SystemClient] = PMClient, url: str = "", project: str = plan.PROJECT, **other: Any) -> Any:
        fields = {"issue_key_field": lab.fields["issue"], "time_entry_key_field": lab.fields["time_entry"]}
        options = {"project": project, **fields, **other.pop("options", {})}
        known = {"api_key": plan.INTEGRATION_KEY, "ledger": Ledger.in_memory(), **other}
        client = kind(url or redmine.url, provider="Redmine", auth_type="api_key", options=options, **known)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def pm(connect: Connect) -> PMClient:
    return connect()


@pytest.fixture
def qms(connect: Connect) -> QMSClient:
    return connect(QMSClient, project=plan.QUALITY)


@pytest.fixture
def sr() -> str:
    """The number of a service request that no other test uses."""
    return f"SR-2025-{uuid.uuid4().hex[:8]}"


def carry(client: SystemClient, operation: str, key: str, **data: Any) -> Outcome:
    """Carry one record."""
    report = client.exchange(operation, [Record(key, data)])
    if report.error is not None:
        raise report.error
    (outcome,) = report.outcomes
    return outcome


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


def report_of(client: SystemClient, execution: str, **data: Any) -> Outcome:
    known = {"execution_id": execution, "sr_number": "SR-2025-0001", "serial_number": "SN001", "title": "NC of SN001"}
    known |= {"protocol_id": "PVTP-018", "protocol_name": "Thermal Cycling", "description": "Pmax fell by 7.1 %"}
    known |= {"detected_at": "2025-11-20T10:15:00+01:00", "immediate_cause": "Power_Degradation failed"}
    return carry(client, "create_nc_report", execution, **{**known, "severity": "MAJOR", **data})


def capa(client: SystemClient, key: str, **data: Any) -> Outcome:
    action = {"description": "Check the ramp", "responsible": "Quality Manager", "target_date": "2026-01-31"}
    known = {"capa_key": key, "scope": key.partition("/")[0], "title": f"CAPA {key}", "problem_statement": "Six failed"}
    return carry(client, "create_capa", key, **{**known, "corrective_action": action, "root_cause": "open", **data})


def attach(client: SystemClient, key: str, number: str, content: bytes = CHART, **data: Any) -> Outcome:
    given = {"capa_key": key, "capa_id": number, "filename": "pareto.png", "content_type": "image/png"}
    given |= {"content": base64.b64encode(content).decode(), "sha256": hashlib.sha256(content).hexdigest()}
    return carry(client, "attach_file", f"{key}/pareto.png", **{**given, **data})


def fresh() -> str:
    return uuid.uuid4().hex[:10]


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


# Non-conformances and CAPAs


def test_a_non_conformance_says_what_redmine_has_no_field_for(qms, lab):
    execution = fresh()
    outcome = report_of(
        qms, execution, contributing_factors=["CH-01 near calibration", "Humidity 71 %"], earlier_nc="12"
    )
    issue = lab.issue(int(outcome.external_id))
    assert (issue["tracker"]["name"], issue["priority"]["name"]) == ("Non-conformance", "High")
    text = issue["description"].splitlines()
    assert text[0] == "Pmax fell by 7.1 %"
    assert f"* Execution: {execution}" in text
    assert "* Detected: 2025-11-20T09:15:00Z" in text
    assert "* Contributing factors: CH-01 near calibration; Humidity 71 %" in text
    assert "* Earlier non-conformance: #12" in text


def test_non_conformances_are_open_until_redmine_says_that_their_status_closes(qms, lab):
    execution = fresh()
    number = report_of(qms, execution).external_id
    (found,) = qms.list("get_nc_reports", external_id=execution)
    assert (found["id"], found["status"], found["closed_at"]) == (number, "open", None)
    lab.change(f"/issues/{number}.json", {"issue": {"status_id": lab.statuses["Closed"]}})
    assert qms.call("get_nc_report", nc_id=number)["status"] == "closed"
    assert [item["id"] for item in qms.list("get_nc_reports", external_id=execution, status="CLOSED")] == [number]
    assert qms.list("get_nc_reports", external_id=execution, status="OPEN") == []


def test_the_guides_words_are_understood_by_quality_management(qms, lab):
    made = qms.create_nc_report(
        title="Thermal cycling failed",
        description="Pmax fell by 7.1 %",
        severity="Major",
        detection_date="2025-11-20T10:15:00+01:00",
        affected_items=[{"type": "PV Module", "id": "SN001", "quantity": 1}],
        root_cause_analysis={"immediate_cause": "solder", "contributing_factors": "ramp"},
        execution_id=fresh(),
    )
    assert qms.get_nc_status(made["nc_id"]) == "OPEN"
    assert "* Affected items: type PV Module, id SN001, quantity 1" in lab.issue(int(made["nc_id"]))["description"]
    action = {"description": "Check the ramp", "responsible": "Eve", "target_date": "2026-01-31"}
    capa_id = qms.create_capa(title=f"CAPA {fresh()}", problem_statement="Six failed", corrective_action=action)["id"]
    qms.attach_file(capa_id, "pareto.png", CHART, "image/png")
    assert qms.get_capa_status(capa_id) == "OPEN"


def test_a_capa_says_who_does_what_until_when(qms, lab):
    key = f"PVTP-018-{fresh()}/1"
    outcome = capa(qms, key, related_ncs=["12", "13"], approved_by="Quality Manager")
    issue = lab.issue(int(outcome.external_id))
    assert (issue["tracker"]["name"], issue["due_date"]) == ("CAPA", "2026-01-31")
    text = issue["description"].splitlines()
    assert text[0] == "Six failed"
    assert "* Corrective action: Check the ramp, responsible Quality Manager, target date 2026-01-31" in text
    assert "* Related non-conformances: #12; #13" in text
    (found,) = qms.list("get_capas", external_id=key)
    assert (found["status"], found["title"]) == ("open", f"CAPA {key}")


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_is_looked_up_and_the_non_conformance_made_once(redmine, connect, lab, kind):
    execution = fresh()
    with serve_proxy(redmine.url) as proxy:
        client = connect(QMSClient, proxy.url, plan.QUALITY)
        proxy.faults({"route": "POST /issues.json", "kind": kind, "times": 1})
        assert report_of(client, execution).result.in_effect
    assert len(lab.find(execution)) == 1


def test_a_file_is_attached_once_and_comes_back_as_it_was(connect, lab):
    qms = connect(QMSClient, project=plan.QUALITY)
    key = f"PVTP-018-{fresh()}/1"
    number = capa(qms, key).external_id
    assert attach(qms, key, number).result is Result.CREATED
    assert attach(connect(QMSClient), key, number).result.in_effect
    (attached,) = lab.issue(int(number), include="attachments")["attachments"]
    assert (attached["filename"], attached["content_type"]) == ("pareto.png", "image/png")
    assert lab.get(attached["content_url"], timeout=60).content == CHART


@pytest.mark.parametrize("route", ["POST /uploads.json", "PUT /issues/*"])
@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_leaves_one_attachment(redmine, connect, lab, route, kind):
    key = f"PVTP-018-{fresh()}/1"
    number = capa(connect(QMSClient, project=plan.QUALITY), key).external_id
    with serve_proxy(redmine.url) as proxy:
        client = connect(QMSClient, proxy.url)
        proxy.faults({"route": route, "kind": kind, "times": 1})
        assert attach(client, key, number).result.in_effect
    assert len(lab.issue(int(number), include="attachments")["attachments"]) == 1


def test_files_that_come_at_the_same_time_are_all_attached_once(connect, lab):
    """Redmine refuses the later of two changes of one issue without a word, and has done nothing of it."""
    qms = connect(QMSClient, project=plan.QUALITY)
    key = f"PVTP-018-{fresh()}/1"
    number = capa(qms, key).external_id
    names = [f"chart-{place:02}.png" for place in range(16)]
    files = []
    for name in names:
        content = CHART + name.encode()
        given = {"content": base64.b64encode(content).decode(), "sha256": hashlib.sha256(content).hexdigest()}
        known = {"capa_key": key, "capa_id": number, "filename": name, "content_type": "image/png"}
        files.append(Record(f"{key}/{name}", {**known, **given}))
    report = qms.exchange("attach_file", files)
    assert report.not_in_effect() == [], report.table()
    attached = lab.issue(int(number), include="attachments")["attachments"]
    assert sorted(each["filename"] for each in attached) == names


def test_a_new_version_of_a_file_stands_beside_the_old_one(connect, lab):
    qms = connect(QMSClient, project=plan.QUALITY)
    key = f"PVTP-018-{fresh()}/1"
    number = capa(qms, key).external_id
    attach(qms, key, number)
    attach(qms, key, number, b"another chart")
    sizes = [each["filesize"] for each in lab.issue(int(number), include="attachments")["attachments"]]
    assert sizes == [len(CHART), len(b"another chart")]


def test_a_file_that_was_damaged_on_its_way_here_is_not_sent(qms):
    outcome = attach(qms, "PVTP-018/1", "1", sha256="0" * 64)
    assert (outcome.result, outcome.code) == (Result.QUARANTINED, "CONTENT_DAMAGED")


def test_audit_events_have_no_place_in_redmine(qms):
    with pytest.raises(ConfigError, match="audit trail") as refused:
        qms.exchange("log_audit_event", [Record("1", {"event_id": "1"})])
    assert refused.value.code == "NO_OPERATION"


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
