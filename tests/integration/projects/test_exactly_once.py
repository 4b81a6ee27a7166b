"""Shows that every task, hour and percentage takes effect once, whatever is repeated or lost."""

from __future__ import annotations

import pytest

from tests.integration.projects.steps import counts


def test_a_second_run_writes_nothing_and_reads_no_results(laboratory):
    projects = laboratory(state="complete")
    projects.all()
    before, asked = len(projects.writes()), len(projects.lab.requests("framework"))
    assert counts(projects.all(1)) == {"unchanged"}
    assert len(projects.writes()) == before
    since = projects.lab.requests("framework")[asked:]
    assert not [request for request in since if request["path"].endswith("/results")]
    assert len(since) <= 12


def test_an_execution_that_two_pages_of_the_listing_show_counts_once_as_it_was_said_last(laboratory, monkeypatch):
    projects = laboratory(state="complete", modules=3, protocols=1, failures=0)
    read = projects.framework.alist

    async def shifted(operation, **criteria):
        rows = await read(operation, **criteria)
        return [{**rows[-1], "status": "RUNNING"}, *rows] if operation == "list_executions" else rows

    monkeypatch.setattr(projects.framework, "alist", shifted)
    projects.all()
    task = projects.task("SR-2025-0001/PVTP-001")
    assert (task["status"], task["actual_hours"]) == ("COMPLETE", 6.0)
    assert task["notes"] == "3 of 3 executions complete. QC Status: 3 PASS"
    assert len(projects.kept("time_entries")) == 3


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "html", "drop_before", "error"])
def test_lost_and_garbled_answers_do_no_harm(laboratory, kind):
    projects = laboratory(state="complete", modules=6, protocols=4)
    extra = {"status": 500} if kind == "error" else {}
    rules = [
        {"route": f"{method} /api/*", "kind": kind, "rate": 0.4, "times": 10, "seed": 5, **extra}
        for method in ("POST", "PUT")
    ]
    projects.lab.faults("pm", *rules)
    projects.all()
    projects.lab.advance(1, "CLOSED")
    projects.all()
    assert sum(rule["hits"] for rule in projects.lab.fault_report("pm")) >= 5
    projects.lab.faults("pm")
    assert {table: len(projects.kept(table)) for table in ("tasks", "time_entries", "progress")} == {
        "tasks": 5,
        "time_entries": 24,
        "progress": 1,
    }
    for task in projects.kept("tasks").values():
        assert task["status"] == "COMPLETE"
        notes = [(entry["status"], entry["notes"]) for entry in task["history"]]
        assert len(set(notes)) == len(notes)
    before = len(projects.writes())
    assert counts(projects.all(1)) == {"unchanged"}
    assert len(projects.writes()) == before


def test_a_dry_run_changes_nothing_anywhere(laboratory):
    projects = laboratory(state="complete", modules=2, protocols=2)
    created = projects.create(dry_run=True)
    assert [report.counts()["created"] for report in created] == [1, 2]
    projects.update(dry_run=True)
    projects.hours(dry_run=True)
    assert projects.kept("tasks") == {}
    assert projects.ledger.verify().count == 0
    assert projects.ledger.watermark("pm/assignments") is None
