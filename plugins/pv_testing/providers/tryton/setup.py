"""From the codes that people use to Tryton's numbers, each asked for once a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pv_testing.core.errors import Rejected
from pv_testing.core.reasons import Reason

if TYPE_CHECKING:
    from pv_testing.providers.tryton.provider import TrytonProvider


class TrytonSetup:
    """What the laboratory has set up in Tryton.

    Args:
        provider: who asks.
    """

    def __init__(self, provider: TrytonProvider) -> None:
        self._provider = provider
        self._known: dict[tuple[str, str], Mapping[str, Any]] = {}

    async def party(self, code: str, operation: str) -> int:
        """Return the number of a customer by code.

        Raises:
            Rejected: Tryton doesn't have exactly one, or doesn't show it to this user.
        """
        record = await self._one("party.party", code, operation, "customer", "CUSTOMER_UNKNOWN")
        return int(record["id"])

    async def currency(self, code: str, operation: str) -> int:
        """Return the number of a currency by its ISO code."""
        record = await self._one("currency.currency", code, operation, "currency", "CURRENCY_UNKNOWN")
        return int(record["id"])

    async def product(self, code: str, operation: str) -> tuple[int, int]:
        """Return the numbers of a product and of its unit."""
        record = await self._one(
            "product.product", code, operation, "product", "PRODUCT_UNKNOWN", fields=("default_uom",)
        )
        return int(record["id"]), int(record["default_uom"])

    async def location(self, code: str, operation: str) -> int:
        """Return the number of a stock location by code."""
        record = await self._one("stock.location", code, operation, "location", "LOCATION_UNKNOWN")
        return int(record["id"])

    async def unit(self, symbol: str, operation: str) -> int:
        """Return the number of a unit of measure by symbol, such as ``l``."""
        record = await self._one("product.uom", symbol, operation, "unit", Reason.UNIT_UNKNOWN, by="symbol")
        return int(record["id"])

    async def _one(
        self, model: str, code: str, operation: str, what: str, problem: str, *, by: str = "code", fields: Any = ()
    ) -> Mapping[str, Any]:
        if (model, code) not in self._known:
            records = await self._provider.search(model, [[by, "=", code]], fields, operation=operation)
            if len(records) != 1:
                many = f"{len(records)} active records" if records else "no active record"
                message = f"Tryton has {many} of the {what} with the {by} {code!r}, or shows this user none of another"
                raise Rejected(f"{message}; see to it there, then release the record", code=problem)
            self._known[model, code] = records[0]
        return self._known[model, code]
