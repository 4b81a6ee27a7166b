"""The operator that looks for recurring failures, on Airflow connections, against running systems."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import sandbox
from demo.laboratory import connections
from operators.capas import ApproveCapaOperator, FindFindingsOperator, RaiseCapasOperator
from operators.wiring import CAPAS
from pv_testing.core.errors import ConfigError, DataError, ExchangeIncomplete
from pv_testing.core.places import project_root
from pv_testing.quality.capa_policy import CapaPolicy
from sandbox import Lab
from tests.airflow.home import connect

DAY = datetime(2025, 11, 14, 6, tzinfo=timezone.utc)


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    plan = sandbox.SeedPlan(modules=12, protocols=6, failures=0.0, weak="PVTP-018", state="complete")
    with sandbox.serve(seed_plan=plan) as running:
        known = connections(running)
        known["pv_ledger"] = {"conn_type": "pv_ledger", "extra": {"path": str(tmp_path / "ledger.sqlite")}}
        connect(monkeypatch, known)
        yield running


def context() -> dict[str, Any]:
    ti = SimpleNamespace(dag_id="pv_capa", run_id="run-1", task_id="find_findings", map_index=-1, try_number=1)
    ti.xcom_push = lambda **_: None
    run = SimpleNamespace(run_after=DAY, logical_date=None)
    return {"ti": ti, "dag_run": run, "outlet_events": {CAPAS: SimpleNamespace(extra={})}}


def find(**arguments: Any) -> list[dict[str, str]]:
    return FindFindingsOperator(task_id="find_findings", **arguments).execute(context())


def test_what_is_handed_on_is_a_digest_and_a_title(lab: Lab) -> None:
    (question,) = find()
    assert question["title"] == "PVTP-018/1: 7 modules"
    assert len(question["finding"]) == 64
    assert find() == [question]


@pytest.mark.parametrize("wanted", ["1", "SR-2025-0001"])
def test_a_service_request_is_named_by_number_or_id(lab: Lab, wanted: str) -> None:
    assert len(find(service_request=wanted)) == 1


def test_an_unknown_service_request_is_refused(lab: Lab) -> None:
    with pytest.raises(DataError, match="no such service request"):
        find(service_request="SR-1999-0001")


def test_nothing_approved_raises_nothing(lab: Lab) -> None:
    summary = RaiseCapasOperator(task_id="raise_capas", outlets=[CAPAS]).execute(context())
    assert summary["operations"] == {"qms.create_capa": {}}


def answered(by: str) -> dict[str, Any]:
    """Return what Airflow hands on when a person has approved."""
    return {
        "chosen_options": ["Approve"],
        "params_input": {},
        "responded_at": DAY,
        "responded_by_user": {"id": by, "name": by},
        "timedout": False,
    }


def approve(monkeypatch: pytest.MonkeyPatch, finding: str, by: str, starter: str | None, *, users: bool = True) -> Any:
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", str(not users))
    run_context = context()
    run_context["dag_run"].triggering_user_name = starter
    return ApproveCapaOperator(task_id="approve", finding=finding).execute_complete(run_context, answered(by))


def rules(monkeypatch: pytest.MonkeyPatch, folder: Path, before: str, after: str) -> None:
    shutil.copytree(project_root() / "config", folder / "config")
    file = folder / "config" / "capa.yaml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    monkeypatch.setenv("PV_CONFIG", str(folder / "config" / "integrations.yaml"))


@pytest.mark.parametrize("starter", ["vera", None], ids=["another person", "the schedule"])
def test_four_eyes_take_the_approval_of_another_person(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, starter: str | None
) -> None:
    (question,) = find()
    assert approve(monkeypatch, question["finding"], "ada", starter)["by"] == "ada"


def test_four_eyes_refuse_the_approval_of_who_has_started_the_run(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    (question,) = find()
    with pytest.raises(DataError, match="ada has started this run") as caught:
        approve(monkeypatch, question["finding"], "ada", "ada")
    assert caught.value.code == "FOUR_EYES"
    summary = RaiseCapasOperator(task_id="raise_capas", outlets=[CAPAS])
    with pytest.raises(ExchangeIncomplete, match="no person has answered"):
        summary.execute(context())


def test_without_four_eyes_or_users_anyone_may_approve(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (question,) = find()
    assert approve(monkeypatch, question["finding"], "ada", "ada", users=False)["approved"]
    rules(monkeypatch, tmp_path, "four_eyes: true ", "four_eyes: false")
    assert approve(monkeypatch, question["finding"], "ada", "ada")["approved"]


def test_only_approvers_may_approve_where_there_are_some(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (question,) = find()
    rules(monkeypatch, tmp_path, "approvers: []", "approvers: [vera, ada]")
    assert approve(monkeypatch, question["finding"], "vera", "ada")["by"] == "vera"
    with pytest.raises(DataError, match="eve isn't among the approvers"):
        approve(monkeypatch, question["finding"], "eve", None)
    assert CapaPolicy.read().approval.asked("ada") == ("vera",)
    assert CapaPolicy.read().approval.asked("") == ("vera", "ada")


def test_an_only_approver_who_has_started_the_run_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rules(monkeypatch, tmp_path, "approvers: []", "approvers: [ada]")
    with pytest.raises(ConfigError, match="names only ada"):
        CapaPolicy.read().approval.asked("ada")
