"""The ERP's stock follows the laboratory: modules are received, stored, returned or scrapped; tests use things up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from operators.exchange import ExchangeOperator, Workflow
from operators.service_requests import UNDER_TEST
from pv_testing.domain.status import STATES, rank

if TYPE_CHECKING:
    from pv_testing.integrations import FrameworkClient
    from pv_testing.inventory import InventoryPolicy


class _StockOperator(ExchangeOperator):
    """Also finishes service requests that have been closed since it began with them."""

    systems: ClassVar[Sequence[str]] = ("erp",)
    operator_extra_links = ()

    executions: ClassVar[str | None] = None
    """The state of those executions whose changes matter."""

    @staticmethod
    def open_states(policy: InventoryPolicy) -> Sequence[str]:
        """Return the states of the open service requests that the step is about."""
        raise NotImplementedError

    def chosen(self, framework: FrameworkClient) -> list[int]:
        """Return the open service requests, and those closed ones that aren't finished; none where nothing is booked.

        Args:
            framework: where they are.
        """
        if str(self.service_request or "").strip():
            return super().chosen(framework)
        from pv_testing.inventory import InventoryPolicy

        policy = InventoryPolicy.read()
        states = self.open_states(policy)
        return self.due(framework, states, days=policy.closed_days, executions=self.executions) if states else []


class MoveStockOperator(_StockOperator):
    """Books each module in the ERP as received, stored, then returned or scrapped, as ``inventory.yaml`` says.

    Without ``service_requests`` it takes all open ones that are as far, and those closed ones that aren't finished. The
    arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    sweep = "erp/stock"

    @staticmethod
    def open_states(policy: InventoryPolicy) -> Sequence[str]:
        """Return the states from receipt on."""
        return STATES[rank(policy.states["received"]) : -1] if policy.states else ()

    def workflow(self) -> Workflow:
        """Return the step itself."""
        from pv_testing.inventory.stock import move_stock

        return move_stock


class DrawConsumablesOperator(_StockOperator):
    """Draws from the ERP's stock what completed executions have used up, as ``inventory.yaml`` says.

    Without ``service_requests`` it takes all that are under test, and those closed ones that aren't finished. The
    arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    sweep = "erp/consumables"
    executions = "COMPLETE"

    @staticmethod
    def open_states(policy: InventoryPolicy) -> Sequence[str]:
        """Return the states from the first execution on."""
        return UNDER_TEST if policy.consumables else ()

    def workflow(self) -> Workflow:
        """Return the step itself."""
        from pv_testing.inventory.stock import draw_consumables

        return draw_consumables
