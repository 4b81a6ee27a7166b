"""Failed executions of the framework become reports of non-conformance in the QMS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from operators.exchange import ExchangeOperator, Workflow
from operators.links import NonConformanceLink


class ReportNonConformancesOperator(ExchangeOperator):
    """Reports one non-conformance for each failed execution; a retest refers to the earlier report.

    The arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    systems: ClassVar[Sequence[str]] = ("qms",)
    operator_extra_links = (NonConformanceLink(),)

    def workflow(self) -> Workflow:
        """Return the step itself."""
        from pv_testing.quality.nonconformances import report_non_conformances

        return report_non_conformances
