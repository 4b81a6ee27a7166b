"""Where the file says everything, no Airflow connection is needed; one that is needed and missing fails at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse

import sandbox
from hooks.ledger import LedgerHook
from hooks.lims import LIMSHook
from operators.retry_policy import ErrorTreeRetryPolicy
from operators.samples import CreateSamplesOperator
from operators.service_requests import ChooseServiceRequestsOperator
from pv_testing.core.errors import ConfigError, NetworkError
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from sandbox import Lab
from sandbox.seed import SeedPlan
from tests.airflow.home import connect
from tests.shipped import PROJECT, variables

SAMPLE = {"external_id": "SN001", "project_id": "SR-1", "customer": "Helios"}


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """Give a laboratory that the shipped configuration and the environment describe, without any connection."""
    with sandbox.serve(seed_plan=SeedPlan(modules=2, protocols=1)) as running:
        monkeypatch.setenv("PV_CONFIG", str(PROJECT / "config" / "integrations.yaml"))
        for name, value in variables(running).items():
            monkeypatch.setenv(name, value)
        yield running


def fails_at_once(error: BaseException) -> bool:
    return ErrorTreeRetryPolicy().evaluate(error, 1, 3).action.value == "fail"


def test_a_task_needs_no_connection_where_the_file_says_everything(lab: Lab) -> None:
    (asked,) = ChooseServiceRequestsOperator(task_id="choose").execute(context())
    CreateSamplesOperator(task_id="create", **asked).execute(context())
    assert len(lab.samples()) == 2
    assert LIMSHook().record_page("LIM-1", "SR-1/SN1") == ""


def context() -> dict[str, object]:
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1)
    return {"ti": ti, "outlet_events": {}}


def test_a_trigger_needs_none_either(lab: Lab) -> None:
    async def ask() -> str:
        async with await LIMSHook().aget_client() as lims:
            return await lims.aidentity()

    assert asyncio.run(ask()) == "api-key"


@pytest.mark.parametrize("way", ["task", "trigger", "one-off call"])
def test_one_that_is_needed_and_missing_fails_at_once_with_what_to_do(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.delenv("LIMS_API_KEY")
    attempts = {
        "task": lambda: CreateSamplesOperator(task_id="create", service_requests=[1]).execute(context()),
        "trigger": lambda: asyncio.run(LIMSHook().aget_client()),
        "one-off call": lambda: LIMSHook().http().run("me"),
    }
    with pytest.raises(ConfigError, match="there is no Airflow connection 'pv_lims'") as caught:
        attempts[way]()
    message = str(caught.value)
    assert caught.value.code == "CONNECTION_MISSING"
    assert "create it with the type pv_lims" in message
    assert "AIRFLOW_CONN_PV_LIMS" in message
    assert "the environment variable LIMS_API_KEY isn't set" in message
    assert fails_at_once(caught.value)


def test_one_that_is_asked_for_by_name_must_exist(lab: Lab) -> None:
    for hook in (LIMSHook("pv_lims_of_berlin").get_client, LedgerHook("pv_ledger_of_berlin").get_conn):
        with pytest.raises(ConfigError, match="_of_berlin', which was asked for by name: create it") as caught:
            hook()
        assert fails_at_once(caught.value)


def test_clients_of_a_hook_remember_in_the_ledger_of_the_connection(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path
) -> None:
    connect(monkeypatch, {"pv_ledger": {"conn_type": "pv_ledger", "extra": {"path": str(tmp_path / "lab.sqlite")}}})
    results = []
    for take in (LIMSHook().get_client, LIMSHook().get_conn):
        with take() as lims:
            results += [outcome.result.value for outcome in lims.create_samples([SAMPLE]).outcomes]
    assert results == ["created", "unchanged"]
    assert (tmp_path / "lab.sqlite").exists()
    assert not list(home.iterdir())


def test_without_that_connection_they_share_the_ledger_of_the_configuration_with_every_client(lab: Lab) -> None:
    with LIMSHook().get_client() as lims:
        lims.create_sample(**SAMPLE)
    with LIMSClient() as lims:
        assert lims.create_samples([SAMPLE]).counts()["unchanged"] == 1
    with LedgerHook().get_conn() as ledger:
        assert ledger.counts() == {("lims", "sample", "confirmed"): 1}


def test_the_test_button_leaves_no_ledger(lab: Lab, home: Path) -> None:
    assert LIMSHook().test_connection() == (True, "lims answers and knows us as api-key.")
    assert not list(home.iterdir())


class Supervisor:
    """Answers a task's questions as Airflow's supervisor does, always the same."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def send(self, _: object) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def asend(self, question: object) -> object:
        return self.send(question)


UNREAD = [ErrorResponse(error=ErrorType.API_SERVER_ERROR), OSError("the pipe is broken"), None]


@pytest.mark.parametrize("answer", UNREAD, ids=["server error", "broken pipe", "nothing"])
def test_while_airflow_can_not_be_asked_nothing_is_taken_in_a_connection_s_place(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, home: Path, answer: object
) -> None:
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(answer), raising=False)
    attempts = (
        LedgerHook().get_conn,
        lambda: LIMSHook().get_client(Ledger.in_memory()),
        lambda: asyncio.run(LedgerHook().aurl()),
        lambda: asyncio.run(LIMSHook().aget_client()),
    )
    for attempt in attempts:
        with pytest.raises(NetworkError, match="can't say whether there is a connection 'pv_") as caught:
            attempt()
        assert ErrorTreeRetryPolicy().evaluate(caught.value, 1, 3).action.value == "retry"
    assert not list(home.iterdir())


def test_once_airflow_says_that_there_is_none_the_file_counts(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND)
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(answer), raising=False)
    assert LedgerHook().url().endswith("/pv_ledger.sqlite")
    assert LIMSHook().configured().base_url == lab.lims_url
