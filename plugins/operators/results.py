"""Completed executions of the framework become result sets in the LIMS."""

from __future__ import annotations

from operators.exchange import ExchangeOperator, Workflow


class UploadResultsOperator(ExchangeOperator):
    """Uploads one result set for each completed execution; one that has changed since becomes an amendment.

    The arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    def workflow(self) -> Workflow:
        """Return the step itself."""
        from pv_testing.samples.results import upload_results

        return upload_results
