"""The retry policy follows the error tree: each class of it is retried, awaited or failed as it asks for itself."""

from __future__ import annotations

import asyncio
import pickle
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from airflow.sdk.definitions.retry_policy import RetryAction

from operators.exchange import in_order
from operators.retry_policy import ErrorTreeRetryPolicy
from pv_testing.core import errors
from pv_testing.core.errors import (
    Action,
    AmbiguousOutcome,
    AuditBroken,
    ExchangeIncomplete,
    IntegrationError,
    LedgerAltered,
    RateLimited,
)
from pv_testing.core.records import Outcome, Result
from pv_testing.exchange.report import Report
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from tests.unit.providers.plain_lims import PlainLims, contract, sample

PLAIN = sorted(
    (
        cls
        for cls in vars(errors).values()
        if isinstance(cls, type)
        and issubclass(cls, IntegrationError)
        and cls not in (RateLimited, ExchangeIncomplete, AuditBroken, LedgerAltered)
    ),
    key=lambda cls: cls.__name__,
)


def decide(error: BaseException):
    return ErrorTreeRetryPolicy().evaluate(error, 1, 3)


@pytest.mark.parametrize("cls", PLAIN, ids=lambda cls: cls.__name__)
def test_each_error_of_the_tree_gets_what_it_asks_for(cls: type[IntegrationError]) -> None:
    wanted = RetryAction.RETRY if cls.action in (Action.RETRY, Action.WAIT) else RetryAction.FAIL
    decision = decide(cls("something happened"))
    assert decision.action is wanted
    assert cls.default_code in decision.reason


@pytest.mark.parametrize("name", ["NetworkError", "LedgerError", "ServerUnavailable"])
def test_what_another_try_can_mend_is_retried(name: str) -> None:
    assert decide(getattr(errors, name)("something happened")).action is RetryAction.RETRY


async def lose_answer(client: LIMSClient, lims: PlainLims) -> None:
    """Create a sample with a plain call, as a site's own task would; the answer is lost after the effect."""
    lims.create = lims.loses_the_first_answer
    await client.acall("create_sample", project_id="P", external_id="A")


async def lose_record(client: LIMSClient, lims: PlainLims) -> None:
    """Carry a sample in an exchange; its answer is lost, and the look-up doesn't tell of it."""
    lims.create = lims.loses_the_first_answer
    client.one(await client.aexchange("create_sample", [sample()]))


async def only_others(_: web.Request) -> web.Response:
    return web.json_response({"data": [{"id": "S9", "project_id": "P", "external_id": "other"}]})


def task(tmp_path: Path, lims: PlainLims, ledger: Ledger, work: Any) -> IntegrationError | None:
    """Run a task's work with a client of the system, and return the error that it ends with."""

    async def run() -> IntegrationError | None:
        async with TestServer(lims.app()) as server:
            client = LIMSClient(
                str(server.make_url("")), api_key="a-key-of-tests", contract=str(contract(tmp_path)), ledger=ledger
            )
            async with client:
                try:
                    await work(client, lims)
                except IntegrationError as error:
                    return error
        return None

    return asyncio.run(run())


def test_a_plain_post_whose_answer_is_lost_is_not_repeated(tmp_path: Path) -> None:
    with Ledger.in_memory(quiet=True) as ledger:
        error = task(tmp_path, PlainLims(), ledger, lose_answer)
    assert isinstance(error, AmbiguousOutcome)
    decision = decide(error)
    assert decision.action is RetryAction.FAIL
    assert decide(pickle.loads(pickle.dumps(error))).action is RetryAction.FAIL


def test_a_record_that_the_ledger_holds_as_unresolved_is_tried_again_and_looked_up(tmp_path: Path) -> None:
    lims = PlainLims()
    with Ledger.in_memory(quiet=True) as ledger:
        lims.search = only_others
        error = task(tmp_path, lims, ledger, lose_record)
        assert isinstance(error, AmbiguousOutcome)
        assert decide(error).action is RetryAction.RETRY
        assert decide(pickle.loads(pickle.dumps(error))).action is RetryAction.RETRY
        lims.search = None
        assert task(tmp_path, lims, ledger, lose_record) is None
    assert len(lims.samples) == 1


@pytest.mark.parametrize("name", ["ConfigError", "AuthenticationError", "Rejected", "MappingError", "SecurityError"])
def test_what_needs_a_person_fails_at_once(name: str) -> None:
    assert decide(getattr(errors, name)("something happened")).action is RetryAction.FAIL


def test_a_system_that_asks_to_wait_is_not_asked_earlier() -> None:
    decision = decide(RateLimited("too many requests", retry_after=75))
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay == timedelta(seconds=75)


def test_an_incomplete_exchange_is_retried_only_while_another_attempt_can_add_to_it() -> None:
    assert decide(ExchangeIncomplete("…", waiting=3, deferred=1)).action is RetryAction.RETRY
    assert decide(ExchangeIncomplete("…", waiting=3)).action is RetryAction.FAIL


def test_of_several_reports_the_one_that_another_try_can_mend_decides() -> None:
    waiting, cut_off, refused = (Report(name, "erp") for name in ("create_invoice", "post_invoice", "log"))
    waiting.add([Outcome("SR-1", Result.QUARANTINED, code="PRICE_MISSING", reason="no price")])
    cut_off.error = errors.NetworkError("the ERP is away")
    refused.error = errors.AuthenticationError("a stranger")
    for order in permutations([waiting, cut_off, refused]):
        assert [report.operation for report in in_order(order)] == ["post_invoice", "log", "create_invoice"]


def test_a_broken_audit_chain_fails_at_once() -> None:
    assert decide(AuditBroken("record 7 is altered", sequence=7)).action is RetryAction.FAIL


def test_a_stranger_is_left_to_airflow() -> None:
    assert decide(ValueError("a bug")).action is RetryAction.DEFAULT


def test_the_policy_survives_serialisation() -> None:
    assert isinstance(ErrorTreeRetryPolicy.deserialize(ErrorTreeRetryPolicy().serialize()), ErrorTreeRetryPolicy)
