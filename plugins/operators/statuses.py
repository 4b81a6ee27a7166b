"""Statuses in both directions; each way only ever moves forward, so that the two never chase each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operators.exchange import ExchangeOperator

if TYPE_CHECKING:
    from pv_testing.workflow.step import Step


class PushStatusOperator(ExchangeOperator):
    """Gives the samples in the LIMS the status of their service request in the framework.

    Without ``service_requests`` it takes the open ones, and closed ones until every sample has its last status. The
    arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    def step(self) -> type[Step[Any, Any]]:
        """Return the step that sends statuses to the LIMS."""
        from pv_testing.samples.statuses import PushStatuses

        return PushStatuses


class PullStatusOperator(ExchangeOperator):
    """Moves service requests in the framework on when the LIMS has received all of their samples.

    Without ``service_requests`` it takes those whose state is one before receipt. The arguments are those of
    :class:`~operators.exchange.ExchangeOperator`.
    """

    def step(self) -> type[Step[Any, Any]]:
        """Return the step that takes receipts from the LIMS."""
        from pv_testing.samples.statuses import PullStatuses

        return PullStatuses
