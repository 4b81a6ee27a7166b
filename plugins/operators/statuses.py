"""Statuses in both directions; each way only ever moves forward, so that the two never chase each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.exchange import ExchangeOperator, Workflow

if TYPE_CHECKING:
    from pv_testing.integrations import FrameworkClient


class PushStatusOperator(ExchangeOperator):
    """Gives the samples in the LIMS the status of their service request in the framework.

    Without ``service_requests`` it takes the open ones, and closed ones until every sample has its last status. The
    arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    sweep = "lims/statuses"

    def workflow(self) -> Workflow:
        """Return the step itself."""
        from pv_testing.samples.statuses import push_statuses

        return push_statuses


class PullStatusOperator(ExchangeOperator):
    """Moves service requests in the framework on when the LIMS has received all of their samples.

    Without ``service_requests`` it takes those whose state is one before receipt. The arguments are those of
    :class:`~operators.exchange.ExchangeOperator`.
    """

    sweep = "lims/receipts"

    def chosen(self, framework: FrameworkClient) -> list[int]:
        """Return the wanted service request, else those that wait for the receipt of their samples.

        Args:
            framework: where they are.
        """
        if str(self.service_request or "").strip():
            return super().chosen(framework)
        from pv_testing.domain.status import STATES, rank
        from pv_testing.samples.statuses import after_receipt

        with self.hook("lims").get_client() as lims:
            after = after_receipt(lims.contract)
        return self.due(framework, STATES[: max(rank(after), 0)])

    def workflow(self) -> Workflow:
        """Return the step itself."""
        from pv_testing.samples.statuses import pull_statuses

        return pull_statuses
