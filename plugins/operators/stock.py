"""The ERP's stock follows the laboratory: modules are received, stored, returned or scrapped; tests use things up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from operators.exchange import ExchangeOperator

if TYPE_CHECKING:
    from pv_testing.workflow.step import Step


class MoveStockOperator(ExchangeOperator):
    """Books each module in the ERP as received, stored, then returned or scrapped, as ``inventory.yaml`` says.

    It is skipped where the ERP's contract has no such operation. Without ``service_requests`` it takes all open ones
    that are as far, and those closed ones that aren't finished. The arguments are those of
    :class:`~operators.exchange.ExchangeOperator`.
    """

    systems: ClassVar[Sequence[str]] = ("erp",)
    without_operation: ClassVar[str] = "the ERP keeps no stock of the laboratory"
    operator_extra_links = ()

    def step(self) -> type[Step[Any, Any]]:
        """Return the step that books movements."""
        from pv_testing.inventory.stock import MoveStock

        return MoveStock


class DrawConsumablesOperator(ExchangeOperator):
    """Draws from the ERP's stock what completed executions have used up, as ``inventory.yaml`` says.

    It is skipped where the ERP's contract has no such operation. Without ``service_requests`` it takes all that are
    under test, and those closed ones that aren't finished. The arguments are those of
    :class:`~operators.exchange.ExchangeOperator`.
    """

    systems: ClassVar[Sequence[str]] = ("erp",)
    without_operation: ClassVar[str] = "the ERP keeps no stock of the laboratory"
    operator_extra_links = ()

    def step(self) -> type[Step[Any, Any]]:
        """Return the step that draws consumables."""
        from pv_testing.inventory.stock import DrawConsumables

        return DrawConsumables
