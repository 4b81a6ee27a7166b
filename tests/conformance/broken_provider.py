"""A provider of a site whose code goes wrong where a test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pv_testing.core.records import Payload, Prepared, Record, Reply
from pv_testing.exchange.operation import Operation
from pv_testing.providers.rest import RestOperation, RestProvider


class BrokenProvider(RestProvider):
    """Goes wrong in one of its methods, with an error that is none of the project's.

    Attributes:
        where: the method; empty for none.
    """

    where: ClassVar[str] = ""

    def __init__(self, *args: Any) -> None:
        if self.where == "__init__":
            raise KeyError("rows")
        super().__init__(*args)

    def operation(self, name: str) -> Operation:
        """Return an operation; of samples, one that goes wrong."""
        if self.where == "operation" and name == "create_sample":
            raise KeyError("rows")
        return BrokenOperation(self, name) if name == "create_sample" else super().operation(name)

    async def identity(self) -> str:
        """Say as whom the system knows the caller."""
        if self.where == "identity":
            raise KeyError("rows")
        return await super().identity()

    async def call(self, name: str, /, **arguments: Any) -> Any:
        """Make a plain call."""
        if self.where == "call":
            raise KeyError("rows")
        return await super().call(name, **arguments)


class BrokenOperation(RestOperation):
    """Brings samples into effect, or goes wrong."""

    def __init__(self, provider: BrokenProvider, name: str) -> None:
        super().__init__(provider.contract, provider.contract.operation(name), provider.session)

    def prepare(self, record: Record) -> Payload:
        """Map a record."""
        if BrokenProvider.where == "prepare":
            raise KeyError("rows")
        return super().prepare(record)

    async def send(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        """Send records."""
        if BrokenProvider.where == "send" and len(batch) > 1:
            raise KeyError("rows")
        return await super().send(batch)

    async def find(self, batch: Sequence[Prepared]) -> Any:
        """Look records up."""
        if BrokenProvider.where == "find":
            nothing: Mapping[str, Any] = {}
            return nothing["rows"]
        return await super().find(batch)
