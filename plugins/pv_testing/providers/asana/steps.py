"""An operation of several requests to Asana."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pv_testing.contracts.model import OperationSpec
from pv_testing.core.errors import Conflict, NotFound
from pv_testing.core.records import Prepared
from pv_testing.providers.asana.provider import AsanaProvider
from pv_testing.providers.stepped import BulkSteppedOperation


class AsanaOperation(BulkSteppedOperation):
    """Brings records into effect in Asana, step by step.

    Args:
        provider: who speaks to Asana.
        spec: the contract's operation.
    """

    def __init__(self, provider: AsanaProvider, spec: OperationSpec) -> None:
        super().__init__(provider.contract, spec, provider.session)
        self.asana = provider

    async def tasks_of(self, batch: Sequence[Prepared]) -> list[tuple[Prepared, dict[str, Any]]]:
        """Return the tasks that records change, each with its record; one that isn't there is left out."""
        there: list[tuple[Prepared, dict[str, Any]]] = []
        for item in batch:
            try:
                there.append((item, await self.asana.task(item.payload["task"], self.name, key=item.key)))
            except NotFound:
                continue
        return there

    async def task_of(self, item: Prepared, gid: Any) -> dict[str, Any]:
        """Return the task that a record is about.

        Raises:
            Conflict: it isn't there any more.
        """
        try:
            return await self.asana.task(gid, self.name, key=item.key)
        except NotFound as error:
            message = f"Asana has no task {gid} any more, or doesn't show it to this account"
            raise Conflict(message, key=item.key, code="TASK_GONE") from error
