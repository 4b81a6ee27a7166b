"""The DAGs run through a real scheduler against running systems, with the launcher of the demo."""

from __future__ import annotations

import pytest
import requests

from demo import laboratory
from demo.story import Story, complaints
from sandbox import Lab, SeedPlan
from sandbox.closing import closing
from tests.airflow.running.launcher import Running

pytestmark = pytest.mark.scheduler

REQUESTS, MODULES, PROTOCOLS = 2, 3, 2


@pytest.fixture(scope="module")
def told(story: Story) -> Story:
    story.lab.seed(SeedPlan(requests=REQUESTS, modules=MODULES, protocols=PROTOCOLS))
    lose_some_answers(story.lab)
    story.tell()
    assert [rule["hits"] for rule in story.lab.read_faults("lims")] == [1, 1]
    story.lab.set_faults("lims", [])
    return story


def lose_some_answers(lab: Lab) -> None:
    lab.set_faults(
        "lims",
        [
            {"route": "POST /api/v2/samples*", "kind": "drop_after", "times": 1},
            {"route": "POST /api/v2/results*", "kind": "error", "status": 503, "retry_after": 1, "times": 1},
        ],
    )


def test_each_module_and_execution_arrives_once_and_statuses_are_in_step(told: Story) -> None:
    rows = told.lab.summary()
    assert len(rows) == REQUESTS
    assert [complaint for row in rows for complaint in complaints(row)] == []
    assert sum(row["samples"] for row in rows) == REQUESTS * MODULES
    assert sum(row["result_sets"] for row in rows) == REQUESTS * MODULES * PROTOCOLS
    assert told.lab.duplicates() == {"samples": [], "results": []}


def test_every_system_holds_what_the_framework_gives_cause_for_and_nothing_twice(told: Story) -> None:
    tallies = {tally.records: tally for tally in closing(told.lab)}
    assert [tally.complaint for tally in tallies.values() if tally.complaint] == []
    executions = REQUESTS * MODULES * PROTOCOLS
    assert tallies["operators' hours"].there == executions
    assert tallies["invoices"].there == REQUESTS
    assert tallies["invoice lines"].there == REQUESTS * PROTOCOLS
    assert tallies["stock movements"].there == 2 * REQUESTS * MODULES
    assert tallies["audit events"].there > executions


def test_a_second_run_writes_nothing(told: Story) -> None:
    assert told.repeat() == []


def test_tasks_are_named_after_their_service_request_and_report_numbers_only(told: Story) -> None:
    api = told.api
    (run,) = [run for run in api.get("dags/pv_intake/dagRuns")["dag_runs"] if run["dag_run_id"].startswith("demo-01")]
    mapped = [task for task in api.tasks("pv_intake", run["dag_run_id"]) if task.task_id == "create_samples"]
    numbers = sorted(row["service_request"] for row in told.lab.summary())
    assert sorted(task.name for task in mapped) == [f"create_samples [{number}]" for number in numbers]
    for task in mapped:
        report = api.result("pv_intake", run["dag_run_id"], task)
        assert report["counts"]["created"] + report["counts"]["adopted"] == MODULES
        assert report["not_in_effect"] == []
        assert any("create_sample on lims" in line for line in api.log("pv_intake", run["dag_run_id"], task))


def test_a_task_links_to_its_sample_in_the_lims(told: Story) -> None:
    run = told.api.get("dags/pv_intake/dagRuns", order_by="id")["dag_runs"][0]["dag_run_id"]
    links = told.api.get(f"dags/pv_intake/dagRuns/{run}/taskInstances/create_samples/links", map_index=0)
    url = links["extra_links"]["Sample in the LIMS"]
    answer = requests.get(url, headers={"X-API-Key": told.lab.credentials.lims_api_key}, timeout=10)
    assert answer.json()["project_id"] in {row["service_request"] for row in told.lab.summary()}


def test_a_run_that_takes_long_holds_up_no_request_that_comes_after_it(told: Story, running: Running) -> None:
    api, components = told.api, told.components
    slow = running.seed(modules=MODULES, protocols=1, seed=3)
    told.lab.set_faults("lims", [{"route": "POST /api/v2/samples*", "kind": "delay", "seconds": 25, "times": 1}])
    api.trigger("pv_intake", "slow-1", {"sr": slow})
    components.wait_for("The slow LIMS", lambda: told.lab.read_faults("lims")[0]["hits"] or None, seconds=60)
    later = running.seed(modules=MODULES, protocols=1, seed=5)
    api.trigger("pv_intake", "beside-1", {})
    assert components.wait_for("The run", lambda: api.finished("pv_intake", "beside-1"), seconds=60) == "success"
    assert (len(told.lab.samples(later)), told.lab.samples(slow)) == (MODULES, [])
    assert api.finished("pv_intake", "slow-1") is None
    (choose,) = [task for task in api.tasks("pv_intake", "beside-1") if task.task_id == "choose"]
    left = f"{slow} is left to the run slow-1, which is carrying it"
    assert any(left in line for line in api.log("pv_intake", "beside-1", choose))
    assert components.wait_for("The run", lambda: api.finished("pv_intake", "slow-1"), seconds=60) == "success"
    told.lab.set_faults("lims", [])
    assert len(told.lab.samples(slow)) == MODULES
    assert told.lab.duplicates()["samples"] == []


def test_a_dry_run_of_one_request_changes_nothing_and_the_real_one_only_that_request(told: Story) -> None:
    known = {row["service_request"] for row in told.lab.summary()}
    told.lab.seed(SeedPlan(requests=2, modules=MODULES, protocols=1, seed=7))
    wanted, other = sorted({row["service_request"] for row in told.lab.summary()} - known)
    before = told.lab.samples()
    (report,) = told.run("pv_intake", "a dry run", sr=wanted, dry_run=True)
    assert report["counts"]["created"] == MODULES
    assert told.lab.samples() == before
    told.run("pv_intake", "in earnest", sr=wanted)
    assert len(told.lab.samples(wanted)) == MODULES
    assert told.lab.samples(other) == []


def test_a_record_that_waits_for_a_person_fails_its_task_at_once_and_the_others_are_done(told: Story) -> None:
    told.lab.seed(SeedPlan(requests=0, messy=True))
    request, serials = doubled(told.lab)
    told.api.trigger("pv_intake", "messy-1", {"sr": request["sr_number"]})
    state = told.components.wait_for("The run", lambda: told.api.finished("pv_intake", "messy-1"), seconds=120)
    (task,) = [task for task in told.api.tasks("pv_intake", "messy-1") if task.task_id == "create_samples"]
    assert (state, task.state, task.attempt) == ("failed", "failed", 1)
    report = told.api.result("pv_intake", "messy-1", task)
    once = {serial for serial in serials if serials.count(serial) == 1}
    assert {sample["external_id"] for sample in told.lab.samples(request["sr_number"])} == once
    assert report["counts"]["created"] == len(once)
    assert report["counts"]["quarantined"] == len(report["not_in_effect"]) == len(set(serials) - once)
    log = "\n".join(told.api.log("pv_intake", "messy-1", task))
    assert all(f"{key}  quarantined  SERIAL_DUPLICATE" in log for key in report["not_in_effect"])


def doubled(lab: Lab) -> tuple[dict[str, object], list[str]]:
    for request in lab.service_requests():
        serials = request["module"].get("serial_numbers") or []
        if len(set(serials)) < len(serials):
            return request, serials
    raise AssertionError("no request has a serial number twice")


def test_a_wait_is_left_to_the_triggerer_and_ends_when_the_samples_arrive(told: Story, running: Running) -> None:
    number = running.seed(modules=MODULES, protocols=1, seed=11)
    told.run("pv_intake", "samples to wait for", sr=number)
    told.api.trigger("wait_for_receipt", "wait-1", {"sr": number})
    told.components.wait_for(
        "Leaving the wait to the triggerer", lambda: state_of(told, "wait-1") == "deferred" or None, seconds=60
    )
    told.lab.receive(number)
    finished = told.components.wait_for(
        "The end of the wait", lambda: told.api.finished("wait_for_receipt", "wait-1"), seconds=120
    )
    assert finished == "success"


def state_of(story: Story, run_id: str) -> str:
    return story.api.tasks("wait_for_receipt", run_id)[0].state


def test_a_run_is_red_when_a_task_is_although_its_last_one_goes_on(told: Story) -> None:
    told.api.trigger("red_first", "red-1", {})
    state = told.components.wait_for("The run", lambda: told.api.finished("red_first", "red-1"), seconds=120)
    states = {task.task_id: task.state for task in told.api.tasks("red_first", "red-1")}
    assert (state, states) == ("failed", {"refuse": "failed", "go_on": "success", "fail_run": "failed"})


@pytest.mark.parametrize("conn_id", ["pv_framework", "pv_lims", "pv_qms", "pv_pm", "pv_erp", "pv_ledger"])
def test_the_test_button_says_as_whom_the_system_knows_us(story: Story, conn_id: str) -> None:
    connection = {"conn_type": conn_id, **laboratory.connections(story.lab).get(conn_id, {})}
    answer = story.api.test_connection(conn_id, connection)
    assert answer["status"], answer["message"]


@pytest.mark.parametrize("conn_id", ["pv_framework", "pv_lims", "pv_qms", "pv_pm", "pv_erp"])
def test_the_test_button_refuses_a_wrong_secret_without_repeating_it(story: Story, conn_id: str) -> None:
    connection = {**laboratory.connections(story.lab)[conn_id], "password": "not-the-secret"}
    answer = story.api.test_connection(conn_id, connection)
    assert not answer["status"]
    assert "not-the-secret" not in answer["message"]
