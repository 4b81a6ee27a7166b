"""Records and watermarks are evidence, too: none is deleted, and what is kept already is the baseline of the trail."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

from pv_testing.ledger.audit import MARK, Draft, append
from pv_testing.ledger.evidence import BASELINE
from pv_testing.ledger.marks import digest, is_told
from pv_testing.ledger.store import Writing

revision = "0002"
down_revision = "0001"

_REFUSAL = "what the ledger knows can''t be deleted"
_KEPT = ("ledger_record", "ledger_watermark")
_OWNER = "upgrade to 0002"
_DECISIONS = sa.text("action IN ('approve', 'reject')")


def upgrade() -> None:
    """Guard the tables, find decisions quickly, and note what is kept already."""
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    if not sqlite:
        op.execute("LOCK TABLE ledger_head IN EXCLUSIVE MODE")
        op.execute(
            f"""CREATE FUNCTION ledger_keep() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"""
        )
    for table in _KEPT:
        op.execute(_sqlite_guard(table) if sqlite else _postgresql_guard(table))
    op.create_index(
        "ledger_audit_decision",
        "ledger_audit",
        ["action", "key"],
        sqlite_where=_DECISIONS,
        postgresql_where=_DECISIONS,
    )
    _note_baseline(connection)


def _sqlite_guard(table: str) -> str:
    return f"""CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
        BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"""


def _postgresql_guard(table: str) -> str:
    return f"""CREATE TRIGGER {table}_guard BEFORE DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION ledger_keep()"""


def _note_baseline(connection: sa.Connection) -> None:
    """Take the watermarks as they are: their changes were no events before."""
    marks = connection.execute(sa.text("SELECT name, value FROM ledger_watermark ORDER BY name")).all()
    records = connection.scalar(sa.text("SELECT count(*) FROM ledger_record"))
    events = connection.scalar(sa.text("SELECT sequence FROM ledger_head"))
    if not (marks or records or events):
        return
    detail = {"records": records, "watermarks": len(marks), "schema": revision}
    drafts = [Draft(_OWNER, MARK, key=name, fingerprint=digest(value)) for name, value in marks if is_told(name)]
    append(Writing(connection, time.time()), [Draft(_OWNER, BASELINE, detail=detail), *drafts])
