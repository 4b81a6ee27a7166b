"""An operation of several calls to Tryton."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pv_testing.contracts.model import OperationSpec
from pv_testing.core.records import Prepared
from pv_testing.providers import stepped
from pv_testing.providers.tryton.provider import Item, TrytonProvider


class TrytonOperation(stepped.SteppedOperation):
    """Brings records into effect in Tryton, step by step.

    Args:
        provider: who speaks to Tryton.
        spec: the contract's operation.
    """

    def __init__(self, provider: TrytonProvider, spec: OperationSpec) -> None:
        super().__init__(provider.contract, spec, provider.session)
        self.tryton = provider

    async def company(self) -> int:
        """Return the number of the company that the user works in."""
        company, _ = await self.tryton.company(self.name)
        return company

    async def own_currency(self) -> int:
        """Return the number of the company's currency."""
        (company,) = await self.search("company.company", [["id", "=", await self.company()]], ["currency"])
        return int(company["currency"])

    async def ask(self, item: Prepared, model: str, method: str, *params: Any) -> Any:
        """Make a call for a record that may be repeated without harm."""
        return await self.tryton.ask(model, method, *params, operation=self.name, key=item.key)

    async def change(self, item: Prepared, model: str, method: str, *params: Any, seen: Item | None = None) -> Any:
        """Make a call for a record that must not be repeated before a look has shown what became of it.

        Args:
            item: the record.
            model: Tryton's name of the model.
            method: of the model.
            params: its arguments.
            seen: the record as it was read; Tryton refuses the change where it has been changed since.
        """
        return await self.tryton.ask(
            model, method, *params, operation=self.name, key=item.key, repeatable=False, seen=seen
        )

    async def search(self, model: str, domain: Sequence[Any], fields: Sequence[str]) -> list[dict[str, Any]]:
        """Return everything that meets the conditions, oldest first."""
        return await self.tryton.search(model, domain, fields, operation=self.name)
