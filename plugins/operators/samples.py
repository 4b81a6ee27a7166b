"""Service requests of the framework become samples in the LIMS."""

from __future__ import annotations

from operators.exchange import ExchangeOperator, Workflow


class CreateSamplesOperator(ExchangeOperator):
    """Creates one sample in the LIMS for each module that has a serial number.

    A module without one, or with one that comes twice, waits in quarantine and the task fails with its name; the others
    are created. The arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    def workflow(self) -> Workflow:
        """Return the step itself."""
        from pv_testing.samples.intake import create_samples

        return create_samples
