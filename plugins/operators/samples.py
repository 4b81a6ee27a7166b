"""Service requests of the framework become samples in the LIMS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from operators.exchange import ExchangeOperator

if TYPE_CHECKING:
    from pv_testing.workflow.step import Step


class CreateSamplesOperator(ExchangeOperator):
    """Creates one sample in the LIMS for each module that has a serial number.

    A module without one, or with one that comes twice, waits in quarantine and the task fails with its name; the others
    are created. The arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    takes_all: ClassVar[bool] = True

    def step(self) -> type[Step[Any, Any]]:
        """Return the step that creates samples."""
        from pv_testing.samples.intake import CreateSamples

        return CreateSamples
