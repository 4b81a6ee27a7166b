"""The first form of the ledger: records, the audit trail and its guards, watermarks, pauses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_GENESIS = "0" * 64
_REFUSAL = "the audit trail can''t be changed"
_Word = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_SQLITE_GUARDS = (
    f"""CREATE TRIGGER ledger_audit_no_update BEFORE UPDATE ON ledger_audit
        BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
    f"""CREATE TRIGGER ledger_audit_no_delete BEFORE DELETE ON ledger_audit
        BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
    # INSERT OR REPLACE deletes the old row without asking the trigger above.
    f"""CREATE TRIGGER ledger_audit_no_replace BEFORE INSERT ON ledger_audit
        WHEN EXISTS (SELECT 1 FROM ledger_audit WHERE sequence = NEW.sequence)
        BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",  # noqa: S608 - a constant
    f"""CREATE TRIGGER ledger_head_forward BEFORE UPDATE ON ledger_head
        WHEN NEW.sequence <= OLD.sequence OR NEW.id <> OLD.id
        BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
    f"""CREATE TRIGGER ledger_head_no_delete BEFORE DELETE ON ledger_head
        BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
    f"""CREATE TRIGGER ledger_head_no_insert BEFORE INSERT ON ledger_head
        BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
)
_POSTGRESQL_GUARDS = (
    f"""CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$""",
    """CREATE TRIGGER ledger_audit_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_audit
        FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()""",
    """CREATE TRIGGER ledger_head_guard BEFORE INSERT OR DELETE OR TRUNCATE ON ledger_head
        FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()""",
    """CREATE TRIGGER ledger_head_forward BEFORE UPDATE ON ledger_head
        FOR EACH ROW WHEN (NEW.sequence <= OLD.sequence OR NEW.id <> OLD.id) EXECUTE FUNCTION ledger_refuse()""",
)


def upgrade() -> None:
    """Create every table, the head of the empty audit trail, and the guards."""
    _create_record()
    _create_audit()
    _create_marks()
    for guard in _SQLITE_GUARDS if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL_GUARDS:
        op.execute(guard)


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _words(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _Word, nullable=False) for name in names]


def _create_record() -> None:
    op.create_table(
        "ledger_record",
        *_words("system", "kind", "key"),
        *_text("state", "fingerprint", "confirmed"),
        sa.Column("revision", sa.Integer(), nullable=False),
        *_words("external_id"),
        *_text("doubtful", "code", "reason"),
        sa.Column("token", sa.BigInteger(), nullable=False),
        *_text("owner"),
        sa.Column("lease_until", sa.Float(53), nullable=False),
        *_text("before_state", "before_fingerprint"),
        sa.Column("changed_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("system", "kind", "key", name="ledger_record_key"),
    )
    for name, column, where in (
        ("ledger_record_waiting", "key", "state IN ('quarantined', 'rejected', 'unknown')"),
        ("ledger_record_external", "external_id", "external_id <> ''"),
    ):
        condition = sa.text(where)
        columns = ["system", "kind", column]
        op.create_index(name, "ledger_record", columns, sqlite_where=condition, postgresql_where=condition)


def _create_audit() -> None:
    sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "ledger_audit",
        sa.Column("sequence", sequence, primary_key=True, autoincrement=False),
        *_text("at", "owner", "action", "system", "kind", "key", "result"),
        *_text("external_id", "fingerprint", "detail", "previous", "hash"),
    )
    head = op.create_table(
        "ledger_head",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        *_text("at", "hash"),
    )
    op.bulk_insert(head, [{"id": 1, "sequence": 0, "at": "", "hash": _GENESIS}])


def _create_marks() -> None:
    op.create_table("ledger_watermark", sa.Column("name", _Word, primary_key=True), *_text("value"))
    op.create_table(
        "ledger_pause",
        sa.Column("system", _Word, primary_key=True),
        sa.Column("until", sa.Float(53), nullable=False),
    )
