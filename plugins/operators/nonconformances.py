"""Failed executions of the framework become reports of non-conformance in the QMS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from operators.exchange import ExchangeOperator
from operators.links import NonConformanceLink

if TYPE_CHECKING:
    from pv_testing.workflow.step import Step


class ReportNonConformancesOperator(ExchangeOperator):
    """Reports one non-conformance for each failed execution; a retest refers to the earlier report.

    The arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    systems: ClassVar[Sequence[str]] = ("qms",)
    operator_extra_links = (NonConformanceLink(),)

    takes_all: ClassVar[bool] = True

    def step(self) -> type[Step[Any, Any]]:
        """Return the step that reports non-conformances."""
        from pv_testing.quality.nonconformances import ReportNonConformances

        return ReportNonConformances
