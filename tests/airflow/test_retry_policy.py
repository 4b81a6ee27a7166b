"""The retry policy follows the error tree: each class of it is retried, awaited or failed as it asks for itself."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from operators.exchange import in_order
from operators.retry_policy import ErrorTreeRetryPolicy
from pv_testing.core import errors
from pv_testing.core.errors import Action, AuditBroken, ExchangeIncomplete, IntegrationError, LedgerAltered, RateLimited
from pv_testing.core.records import Outcome, Result
from pv_testing.exchange.report import Report

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
    wanted = RetryAction.RETRY if cls.action in (Action.RETRY, Action.RESOLVE, Action.WAIT) else RetryAction.FAIL
    decision = decide(cls("something happened"))
    assert decision.action is wanted
    assert cls.default_code in decision.reason


@pytest.mark.parametrize("name", ["NetworkError", "AmbiguousOutcome", "LedgerError", "ServerUnavailable"])
def test_what_another_try_can_mend_is_retried(name: str) -> None:
    assert decide(getattr(errors, name)("something happened")).action is RetryAction.RETRY


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
