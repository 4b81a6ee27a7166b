"""Completed executions of the framework become result sets in the LIMS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from operators.exchange import ExchangeOperator

if TYPE_CHECKING:
    from pv_testing.workflow.step import Step


class UploadResultsOperator(ExchangeOperator):
    """Uploads one result set for each completed execution; one that has changed since becomes an amendment.

    The arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    takes_all: ClassVar[bool] = True

    def step(self) -> type[Step[Any, Any]]:
        """Return the step that uploads results."""
        from pv_testing.samples.results import UploadResults

        return UploadResults
