"""Statuses in both directions; each way only ever moves forward, so that the two never chase each other."""

from __future__ import annotations

from operators.exchange import ExchangeOperator, Workflow


class PushStatusOperator(ExchangeOperator):
    """Gives the samples in the LIMS the status of their service request in the framework.

    Without ``service_requests`` it takes the open ones, and closed ones until every sample has its last status. The
    arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    sweep = "lims/statuses"

    def workflow(self) -> Workflow:
        """Return the step itself."""
        from pv_testing.workflows.statuses import push_statuses

        return push_statuses


class PullStatusOperator(ExchangeOperator):
    """Moves service requests in the framework on when the LIMS has received all of their samples.

    The arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    def workflow(self) -> Workflow:
        """Return the step itself."""
        from pv_testing.workflows.statuses import pull_statuses

        return pull_statuses
