"""The CAPA workflow in a running Airflow: a person sees numbers and charts, and approves or rejects.

The tests follow each other.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from demo.story import Story
from sandbox import Lab
from tests.airflow.running.launcher import Running

pytestmark = pytest.mark.scheduler

WEAK = "PVTP-018"


@pytest.fixture(scope="module", autouse=True)
def weak(running: Running) -> None:
    """Complete a service request whose modules fail one protocol more often than the others."""
    number = running.seed(seed=13, modules=12, protocols=6, failures=0, weak=WEAK)
    lab = running.story.lab
    (request,) = [request for request in lab.service_requests() if request["sr_number"] == number]
    lab.advance(request["id"], "PROTOCOLS_ASSIGNED")
    lab.run_executions(request["id"])


@pytest.fixture
def as_vera(running: Running) -> Iterator[Callable[[], None]]:
    """Give a function that lets vera go on where ada has begun."""
    yield lambda: running.log_in("vera")
    running.log_in("ada")


@pytest.fixture
def rules(running: Running) -> Iterator[Callable[..., None]]:
    """Return a function that replaces text in capa.yaml for one test."""
    path = running.config / "capa.yaml"
    shipped = path.read_text()

    def change(*changes: tuple[str, str]) -> None:
        content = shipped
        for before, after in changes:
            assert before in content
            content = content.replace(before, after)
        path.write_text(content)

    yield change
    path.write_text(shipped)


NOTED = 6.0
"""Seconds after which Airflow has noted that a task asks."""


def start(story: Story, run_id: str, **conf: Any) -> None:
    story.api.trigger("pv_capa", run_id, conf)


def question(story: Story, run_id: str) -> dict[str, Any]:
    def asked() -> dict[str, Any] | None:
        return next(iter(story.api.questions("pv_capa", run_id)), None)

    return story.components.wait_for("The question", asked, seconds=120, poll=0.5)


def end(story: Story, run_id: str, answer: str = "") -> dict[str, str]:
    """Wait for the end of a run, and answer its question once Airflow has noted that the task asks.

    Airflow's supervisor notices the end of a process up to 5 s late. The end of the process that asked then counts as
    the end of the one that the answer has started, and the task is tried again.
    """
    if answer:
        time.sleep(NOTED)

    def ended() -> str | None:
        for asked in story.api.questions("pv_capa", run_id) if answer else ():
            story.api.answer("pv_capa", run_id, asked, answer)
        return story.api.finished("pv_capa", run_id)

    finished = story.components.wait_for("The end", ended, seconds=180, poll=0.5)
    return {"run": finished, **{task.task_id: task.state for task in story.api.tasks("pv_capa", run_id)}}


def capas(lab: Lab) -> list[dict[str, Any]]:
    return [json.loads(row["body"]) for row in lab.rows("qms", "SELECT * FROM capas")]


def files(lab: Lab) -> list[str]:
    return sorted(json.loads(row["body"])["filename"] for row in lab.rows("qms", "SELECT * FROM attachments"))


def test_a_dry_run_asks_no_question(story: Story) -> None:
    start(story, "dry", dry_run=True)
    assert end(story, "dry") == {
        "run": "success",
        "find_findings": "success",
        "approve": "skipped",
        "raise_capas": "success",
    }
    assert capas(story.lab) == []


def test_a_question_without_an_answer_in_time_makes_the_run_red(story: Story, rules: Callable[..., None]) -> None:
    rules(("approvers: []", "approvers: [vera]"), ("hours: 20", "hours: 0.004"))
    start(story, "late")
    asked = question(story, "late")
    assert [user["id"] for user in asked["assigned_users"]] == ["vera"]
    with pytest.raises(requests.HTTPError, match="403"):
        story.api.answer("pv_capa", "late", asked, "Approve")
    assert end(story, "late") == {
        "run": "failed",
        "find_findings": "success",
        "approve": "skipped",
        "raise_capas": "failed",
    }
    (task,) = [task for task in story.api.tasks("pv_capa", "late") if task.task_id == "raise_capas"]
    assert any("NOT_ANSWERED" in line for line in story.api.log("pv_capa", "late", task))
    assert task.attempt == 1


def test_a_rejection_raises_nothing_and_is_remembered(story: Story) -> None:
    start(story, "no")
    asked = question(story, "no")
    assert asked["subject"] == "Raise CAPA PVTP-018/1? 7 modules failed in 30 days."
    assert asked["task_instance"]["rendered_map_index"] == "PVTP-018/1: 7 modules"
    assert end(story, "no", "Reject")["run"] == "success"
    start(story, "no-again")
    assert end(story, "no-again")["approve"] == "skipped"
    assert capas(story.lab) == []


def test_who_has_started_the_run_cannot_approve_what_it_has_found(story: Story) -> None:
    (execution,) = story.lab.framework_rows(
        "SELECT execution_id FROM executions WHERE protocol_id = ? AND qc_status = 'PASS' LIMIT 1", WEAK
    )
    story.lab.decide(execution["execution_id"], "FAIL")
    start(story, "own")
    question(story, "own")
    assert end(story, "own", "Approve")["approve"] == "failed"
    (task,) = [task for task in story.api.tasks("pv_capa", "own") if task.task_id == "approve"]
    assert task.attempt <= 2  # the refusal is not tried again; Airflow itself may resume a paused task a second time
    assert capas(story.lab) == []


def test_the_approver_sees_charts_and_an_approved_capa_is_raised_once(
    story: Story, as_vera: Callable[[], None]
) -> None:
    (execution,) = story.lab.framework_rows(
        "SELECT execution_id FROM executions WHERE protocol_id = ? AND qc_status = 'PASS' LIMIT 1", WEAK
    )
    story.lab.decide(execution["execution_id"], "FAIL")
    start(story, "yes")
    asked = question(story, "yes")
    pictures = re.findall(r"!\[[\w.]+\]\((/pv/charts/[0-9a-f]{64}/[\w.]+)\)", asked["body"])
    assert len(pictures) == 2
    for picture in pictures:
        address = story.api.url + picture
        assert requests.get(address, timeout=30).status_code == 401
        shown = requests.get(address, headers=dict(story.api._session.headers), timeout=60)
        assert shown.content.startswith(b"\x89PNG")
    as_vera()
    assert set(end(story, "yes", "Approve").values()) == {"success"}
    (capa,) = capas(story.lab)
    assert capa["scope"] == WEAK
    assert capa["approved_by"] == "vera"
    assert files(story.lab) == ["control.png", "executions.csv", "pareto.png"]
    (answer,) = [row for row in story.api.tasks("pv_capa", "yes") if row.task_id == "approve"]
    kept = story.api.result("pv_capa", "yes", answer)
    assert kept["by"] == capa["approved_by"]
    assert set(kept) == {"finding", "approved", "by"}


def test_while_the_capa_is_open_no_question_is_asked(story: Story) -> None:
    start(story, "after")
    assert end(story, "after")["approve"] == "skipped"
    assert len(capas(story.lab)) == 1
