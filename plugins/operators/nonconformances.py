"""Failed executions of the framework become reports of non-conformance in the QMS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from operators.exchange import ExchangeOperator, Workflow
from operators.links import NonConformanceLink
from operators.service_requests import UNDER_TEST, ChooseServiceRequestsOperator


class ChooseToReportOperator(ChooseServiceRequestsOperator):
    """Finds the service requests under test, and those closed meanwhile whose failures aren't all reported.

    Args:
        ledger_conn_id: the connection of the ledger.
        kwargs: of :class:`~operators.service_requests.ChooseServiceRequestsOperator`.
    """

    template_fields: Sequence[str] = (*ChooseServiceRequestsOperator.template_fields, "ledger_conn_id")

    def __init__(self, *, ledger_conn_id: str = "pv_ledger", **kwargs: Any) -> None:
        super().__init__(**{"states": UNDER_TEST, **kwargs})
        self.ledger_conn_id = ledger_conn_id

    def chosen(self) -> dict[str, int]:
        """Return the ids of the service requests by their numbers."""
        from hooks.ledger import LedgerHook
        from pv_testing.workflows.nonconformances import SWEEP
        from pv_testing.workflows.unfinished import Unfinished

        found = super().chosen()
        if str(self.service_request or "").strip():
            return found
        with LedgerHook(self.ledger_conn_id).get_conn() as ledger:
            return {**Unfinished(ledger, SWEEP).begun(), **found}


class ReportNonConformancesOperator(ExchangeOperator):
    """Reports one non-conformance for each failed execution; a retest refers to the earlier report.

    The arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    systems: ClassVar[Sequence[str]] = ("qms",)
    operator_extra_links = (NonConformanceLink(),)

    def workflow(self) -> Workflow:
        """Return the step itself."""
        from pv_testing.workflows.nonconformances import report_non_conformances

        return report_non_conformances
