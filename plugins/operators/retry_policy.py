"""One retry policy for every task, read from the error tree: the errors say what is to be done about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy

from pv_testing.core.errors import Action, AmbiguousOutcome, ExchangeIncomplete, IntegrationError, RateLimited

if TYPE_CHECKING:
    from airflow.sdk import Context

AGAIN = frozenset({Action.RETRY, Action.WAIT})


class ErrorTreeRetryPolicy(RetryPolicy):
    """Retries what another try can mend, waits as long as a system asks for, and fails the rest at once.

    A request that may have taken effect is repeated only where the ledger knows of it, as it does of each record of an
    exchange: the next try then looks it up. A task's own plain ``POST`` could take effect twice, so the task fails and
    a person looks in the system. An error that isn't of the tree, such as a killed worker's, has Airflow's own
    behaviour.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002 - Airflow's signature
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """Decide about the next try.

        Args:
            exception: what the task failed with.
            try_number: the try that failed, from 1.
            max_tries: how many there are.
            context: the task's context.
        """
        if isinstance(exception, RateLimited):
            return RetryDecision.retry(timedelta(seconds=exception.retry_after), f"asked to wait: {exception.code}")
        if isinstance(exception, ExchangeIncomplete):
            return _incomplete(exception)
        if not isinstance(exception, IntegrationError):
            return RetryDecision.default()
        if can_mend(exception):
            return RetryDecision.retry(reason=f"{exception.action.value}: {exception.code}")
        return RetryDecision.fail(f"{exception.actor.value} must act: {exception.code}")

    def serialize(self) -> dict[str, Any]:
        """Return what is needed to make the policy again: nothing."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> ErrorTreeRetryPolicy:  # noqa: ARG003 - Airflow's signature
        """Make the policy again."""
        return cls()


def can_mend(error: IntegrationError) -> bool:
    """Say whether another try can mend an error without sending anything twice.

    Args:
        error: what a task or an exchange ended with.
    """
    if error.action is Action.RESOLVE:
        return isinstance(error, AmbiguousOutcome) and error.recorded
    return error.action in AGAIN


def _incomplete(exception: ExchangeIncomplete) -> RetryDecision:
    if exception.deferred:
        return RetryDecision.retry(reason=f"{exception.deferred} records wait for another attempt")
    return RetryDecision.fail(f"{exception.waiting} records wait for a person")


def with_retries(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a task with two retries by the error tree, where they don't say otherwise.

    Args:
        arguments: of the operator, by name.
    """
    return {"retries": 2, "retry_policy": ErrorTreeRetryPolicy(), **arguments}
