"""What the operations of Dataverse share: rows by GUID, and the one project that a change is within."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pv_testing.contracts.model import OperationSpec
from pv_testing.core.concurrency import bounded
from pv_testing.core.errors import Conflict
from pv_testing.core.records import Found, Prepared
from pv_testing.providers.dataverse.provider import TASKS, DataverseProvider, Row, guid_of
from pv_testing.providers.stepped import SteppedOperation
from pv_testing.providers.texts import same

HELPERS = ("task", "parent", "hours")
NEAR = 1e-6


class DataverseOperation(SteppedOperation):
    """Brings records into effect in Dataverse.

    Args:
        provider: who speaks to Dataverse.
        spec: the contract's operation.

    Attributes:
        table: the set of rows that its records are, or change.
    """

    table: ClassVar[str] = TASKS

    def __init__(self, provider: DataverseProvider, spec: OperationSpec) -> None:
        super().__init__(provider.contract, spec, provider.session)
        self.dataverse = provider

    def guid(self, item: Prepared) -> str:
        """Return the id of a record's row."""
        return item.external_id or guid_of(self.table, item.key)

    def wanted(self, item: Prepared, row: Row) -> dict[str, Any]:
        """Return the columns that a record's row must have.

        Args:
            item: the record.
            row: as it is; empty for a new one.
        """
        del row
        return {name: value for name, value in item.payload.items() if name not in HELPERS}

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Read the rows by their ids; what was persisted shows at once."""
        reads = [self.dataverse.row(self.table, self.guid(item), self.name, key=item.key) for item in batch]
        rows = await bounded(reads, self.limits.concurrency)
        return {
            item.key: Found(self.guid(item), in_effect=has(row, self.wanted(item, row)), body=self.body(row))
            for item, row in zip(batch, rows, strict=True)
            if row is not None
        }

    def body(self, row: Row) -> dict[str, Any]:
        """Return what the caller is told of a row."""
        return self.dataverse.task(row)

    async def task_of(self, item: Prepared, guid: str) -> Row:
        """Return the task that a record is about.

        Raises:
            Conflict: it isn't there, or not any more.
        """
        row = await self.dataverse.row(TASKS, guid, self.name, key=item.key)
        if row is None:
            message = f"Dataverse has no task {guid}, or doesn't show it to this account"
            raise Conflict(message, key=item.key, code="TASK_GONE")
        return row


def has(row: Row, wanted: Mapping[str, Any]) -> bool:
    """Say whether a row has the wanted columns."""
    return not differences(row, wanted)


def differences(row: Row, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wanted columns that a row has otherwise."""
    return {name: value for name, value in wanted.items() if not _equal(value, row.get(name))}


def _equal(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, (int, float)):
        return isinstance(theirs, (int, float)) and abs(ours - theirs) < NEAR
    return same(ours, theirs)
