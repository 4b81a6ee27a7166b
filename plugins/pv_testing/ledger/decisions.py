"""What a person decided on a finding, read from the audit trail and nowhere else."""

from __future__ import annotations

import orjson
from sqlalchemy import ColumnElement, Connection, literal_column, select

from pv_testing.core.errors import AuditBroken
from pv_testing.ledger.audit import GENESIS, Link, last, page
from pv_testing.ledger.store import Store
from pv_testing.ledger.tables import audit
from pv_testing.ledger.types import AuditEvent
from pv_testing.ledger.verify import follow

# The words of the index's own condition, so that both databases use it.
_DECIDES: ColumnElement[bool] = literal_column("action IN ('approve', 'reject')")


def decision(store: Store, system: str, kind: str, finding: str) -> AuditEvent | None:
    """Return the last decision on a finding, or ``None``.

    Raises:
        AuditBroken: its event isn't genuine, or doesn't stand between its neighbours.
    """
    wanted = select(audit.c.sequence, audit.c.detail).where(_DECIDES, audit.c.system == system, audit.c.kind == kind)
    with store.reading() as connection:
        rows = connection.execute(wanted.order_by(audit.c.sequence.desc())).all()
        sequence = next((number for number, detail in rows if orjson.loads(detail).get("finding") == finding), None)
        return None if sequence is None else _in_its_place(connection, sequence)


def _in_its_place(connection: Connection, sequence: int) -> AuditEvent:
    """Return an event that follows from the one before, and from which the next one or the head follows."""
    rows = page(connection, sequence - 3, 4)  # with one more, whose hash the first neighbour has
    rows = [row for row in rows if row.sequence <= sequence + 1]
    reached = Link(0, "", GENESIS) if rows[0].sequence == 1 else Link(rows[0].sequence, rows[0].at, rows[0].hash)
    for row in rows if rows[0].sequence == 1 else rows[1:]:
        reached = follow(reached, row)
    end = last(connection)
    if end is None or reached.sequence != min(sequence + 1, end.sequence):
        raise AuditBroken(f"a neighbour of audit record {sequence} is missing", sequence=sequence)
    if reached.sequence == end.sequence and reached.hash != end.hash:
        raise AuditBroken(f"audit record {sequence} is not the one that the ledger wrote last", sequence=sequence)
    stored = next(row for row in rows if row.sequence == sequence)
    return AuditEvent(**{**stored._asdict(), "detail": orjson.loads(stored.detail)})
