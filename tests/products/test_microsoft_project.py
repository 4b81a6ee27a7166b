"""A plan that the laboratory and its planner both change; MPXJ, which others maintain, judges the file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pv_testing.config import load_config
from pv_testing.core.errors import Rejected, SecurityError
from pv_testing.core.records import Result
from pv_testing.integrations import PMClient
from pv_testing.ledger import Ledger
from pv_testing.providers.microsoft_project.plan_file import PlanFile
from pv_testing.transports.files.store import LocalStore
from sandbox.products.microsoft_project import NAMESPACE, Planner, add_task, serve
from tests.products.qms import write_section

SR, PART = "SR-2025-0001", "SR-2025-0001/PVTP-018"
JANE = "jane.doe@lab.example"
TAG = f"{{{NAMESPACE}}}"


@pytest.fixture
def planner(tmp_path: Path) -> Iterator[Planner]:
    folder = tmp_path / "plan"
    folder.mkdir()
    with serve(folder) as stand_in:
        yield stand_in


@pytest.fixture
def pm(planner: Planner, tmp_path: Path) -> Iterator[PMClient]:
    config = load_config(write_section(tmp_path, "pm", planner.section)).systems["pm"]
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
        client = PMClient(config=config, ledger=ledger)
        yield client
        client.close()


def main_task(pm: PMClient, **other: Any) -> None:
    given = {"title": f"PV Testing - {SR}", "start_date": "2025-11-12", "due_date": "2025-12-01", "assignee": JANE}
    pm.create_task(**{**given, **other})


def plan(pm: PMClient) -> None:
    """Plan a service request with one protocol and one execution."""
    main_task(pm)
    subtask(pm)
    pm.log_time_entry(PART, JANE, "2025-11-13", 2.5, "Executed Thermal cycling", "5678")
    pm.log_resource_usage(PART, "Equipment", "TC-001", 40.5, "2025-11-13", "5678")
    pm.update_task(PART, "IN_PROGRESS", notes="1 of 12 executions complete.")


def subtask(pm: PMClient, hours: float = 40.5, title: str = "PVTP-018: Thermal cycling") -> None:
    pm.create_subtask(SR, title, estimated_hours=hours, assignee="hans@lab.example", external_id=PART)


def edit(root: Any, key: str, **fields: str) -> None:
    """Change fields of a task by hand, as the planner does."""
    for task in root.iter(f"{TAG}Task"):
        if any(each.findtext(f"{TAG}Value") == key for each in task.iter(f"{TAG}ExtendedAttribute")):
            for name, value in fields.items():
                found = task.find(f"{TAG}{name}")
                assert found is not None, name
                found.text = value


def test_what_the_planner_changed_stays_and_the_rest_is_updated(pm: PMClient, planner: Planner) -> None:
    plan(pm)
    root = planner.open()
    edit(root, PART, Name="Thermal cycling, chamber 2")
    add_task(root, "Move to the new hall")
    planner.save(root)
    subtask(pm, hours=48.0, title="PVTP-018: Thermal cycling, again")
    pm.update_task(PART, "COMPLETE", completion_date="2025-11-20")
    names = [task.findtext(f"{TAG}Name") for task in planner.open().iter(f"{TAG}Task")]
    assert names == [f"PV Testing - {SR}", "Thermal cycling, chamber 2", "Move to the new hall"]
    (_, row) = planner.rows("task")
    assert (row["hours"], row["done"], row["parent"]) == (Decimal(48), True, SR)
    assert {row["key"] for row in planner.rows("time_entry")} == {"5678", "5678/TC-001"}


def test_a_plan_that_was_opened_before_changes_and_saved_after_them_loses_nothing(
    pm: PMClient, planner: Planner
) -> None:
    main_task(pm)
    stale = planner.open()
    plan(pm)
    add_task(stale, "Holiday of the chamber")
    planner.save(stale)
    assert [row["key"] for row in planner.rows("task")] == [SR]
    pm.log_time_entry(PART, JANE, "2025-11-14", 1.0, "Executed Thermal cycling", "5679")
    assert [row["key"] for row in planner.rows("task")] == [SR, PART]
    assert sorted(row["key"] for row in planner.rows("time_entry")) == ["5678", "5678/TC-001", "5679"]
    found = pm.find_task(PART)
    assert found is not None
    assert (found["status"], found["note"]) == ("IN_PROGRESS", "1 of 12 executions complete.")
    assert any(task.findtext(f"{TAG}Name") == "Holiday of the chamber" for task in planner.open().iter(f"{TAG}Task"))


def test_a_file_changed_by_the_planner_is_read(pm: PMClient, planner: Planner) -> None:
    plan(pm)
    root = planner.open()
    edit(root, PART, PercentComplete="100", Work="PT60H15M0S")
    planner.save(root)
    found = pm.find_task(PART)
    assert found is not None
    assert (found["estimated_hours"], found["title"]) == ("60.25", "PVTP-018: Thermal cycling")


def test_a_copied_task_waits_for_a_person(pm: PMClient, planner: Planner) -> None:
    plan(pm)
    root = planner.open()
    tasks = root.find(f"{TAG}Tasks")
    assert tasks is not None
    tasks.append(tasks[-1])
    planner.save(root)
    with pytest.raises(Rejected, match="2 tasks carry the key"):
        pm.update_task(PART, "COMPLETE")


def test_corrected_hours_move_the_sum_and_keep_what_was_entered_by_hand(pm: PMClient, planner: Planner) -> None:
    plan(pm)
    root = planner.open()
    edit(root, PART, ActualWork="PT50H0M0S")  # 43 of ours
    planner.save(root)
    pm.log_time_entry(PART, JANE, "2025-11-13", 3.5, "Executed Thermal cycling", "5678")
    (_, task) = planner.open().iter(f"{TAG}Task")
    assert task.findtext(f"{TAG}ActualWork") == "PT51H0M0S"


def test_writers_at_the_same_time_lose_nothing(planner: Planner) -> None:
    def work(number: int) -> None:
        file = PlanFile(LocalStore(planner.plan.parent), planner.plan.name)
        for each in range(5):
            key = f"SR-{number}-{each}"
            file.update(lambda plan, key=key: bool([plan.create({"key": key, "title": key})]), lambda: 10.0, int)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({row["key"] for row in planner.rows("task")}) == 15


@pytest.mark.parametrize("content", [b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', b"<x/>", b"\x00"])
def test_a_file_that_is_no_plan_is_refused_and_stays(pm: PMClient, planner: Planner, content: bytes) -> None:
    planner.plan.write_bytes(content)
    report = pm.create_tasks([{"title": "A task", "external_id": SR}])
    assert report.outcomes[0].result not in {Result.CREATED, Result.ADOPTED}
    assert planner.plan.read_bytes() == content


def test_a_link_in_the_place_of_the_plan_is_not_followed(pm: PMClient, planner: Planner, tmp_path: Path) -> None:
    (tmp_path / "other.xml").write_text("secret", encoding="utf-8")
    planner.plan.symlink_to(tmp_path / "other.xml")
    with pytest.raises(SecurityError):
        pm.find_task(SR)


class TestMpxj:
    """MPXJ reads and writes the formats of Microsoft Project."""

    @pytest.fixture(scope="class")
    @classmethod
    def mpxj(cls) -> Any:
        jpype = pytest.importorskip("jpype", reason="JPype is not installed")
        pytest.importorskip("mpxj", reason="MPXJ is not installed")
        if not jpype.isJVMStarted():
            try:
                jpype.startJVM(convertStrings=True)
            except jpype.JVMNotFoundException:
                pytest.skip("there is no JVM on this machine")
        return jpype.JPackage("org").mpxj

    def read(self, mpxj: Any, path: Path) -> Any:
        return mpxj.reader.UniversalProjectReader().read(str(path))

    def test_it_reads_the_same_tasks_hours_assignments_and_keys(
        self, mpxj: Any, pm: PMClient, planner: Planner
    ) -> None:
        plan(pm)
        tasks = {task.getText(1): task for task in self.read(mpxj, planner.plan).getTasks() if task.getText(1)}
        assert set(tasks) == {SR, PART}
        part = tasks[PART]
        assert (part.getName(), part.getParentTask().getText(1)) == ("PVTP-018: Thermal cycling", SR)
        assert (str(part.getWork()), str(part.getActualWork())) == ("40.5h", "43.0h")
        assert part.getText(2) == "1 of 12 executions complete."
        assigned = {each.getResource().getName(): each for each in part.getResourceAssignments()}
        assert set(assigned) == {"hans@lab.example", JANE, "TC-001"}
        assert str(assigned["hans@lab.example"].getWork()) == "40.5h"
        assert str(assigned[JANE].getActualWork()) == "2.5h"
        assert str(assigned["TC-001"].getActualWork()) == "40.5h"
        assert str(tasks[SR].getDeadline()) == "2025-12-01T17:00"

    def test_what_it_changed_stays_and_everything_else_is_as_it_was(
        self, mpxj: Any, pm: PMClient, planner: Planner
    ) -> None:
        plan(pm)
        before = {key: pm.find_task(key) for key in (SR, PART)}
        project = self.read(mpxj, planner.plan)
        (part,) = [task for task in project.getTasks() if task.getText(1) == PART]
        part.setName("Thermal cycling, chamber 2")
        mpxj.writer.UniversalProjectWriter(mpxj.writer.FileFormat.MSPDI).write(project, str(planner.plan))
        assert pm.find_task(SR) == before[SR]
        assert pm.find_task(PART) == {**(before[PART] or {}), "title": "Thermal cycling, chamber 2"}
        subtask(pm, hours=48.0)
        pm.log_time_entry(PART, JANE, "2025-11-13", 3.5, "Executed Thermal cycling", "5678")
        after = pm.find_task(PART) or {}
        assert (after["title"], after["estimated_hours"]) == ("Thermal cycling, chamber 2", "48")
        entry = pm.find_time_entry("5678")
        assert entry is not None
        assert entry["hours"] == 3.5
