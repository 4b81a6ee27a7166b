"""Events out and in: who is told, what is to be told, what became of each delivery, and what others have told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_Word = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_Sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables; they are no evidence and are pruned, so that nothing guards them."""
    _create_endpoint()
    _create_outbox()
    _create_delivery()
    _create_inbox()


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _times(*names: str) -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Float(53), nullable=False) for name in names]


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _word(name: str) -> sa.Column[str]:
    return sa.Column(name, _Word, nullable=False)


def _create_endpoint() -> None:
    op.create_table(
        "ledger_endpoint",
        sa.Column("id", _Word, primary_key=True),
        *_text("url", "events", "secrets", "state", "reason"),
        *_times("created_at"),
        _whole("failures"),
        *_times("failing_since", "held_until"),
    )


def _create_outbox() -> None:
    op.create_table(
        "ledger_outbox",
        sa.Column("sequence", _Sequence, primary_key=True, autoincrement=False),
        _word("id"),
        *_text("event"),
        _word("subject"),
        *_times("at"),
        *_text("data"),
    )
    op.create_index("ledger_outbox_id", "ledger_outbox", ["id"], unique=True)


def _create_delivery() -> None:
    op.create_table(
        "ledger_delivery",
        _word("endpoint"),
        sa.Column("sequence", _Sequence, nullable=False),
        _word("subject"),
        *_text("state"),
        _whole("attempts"),
        *_times("next_at", "lease_until", "changed_at"),
        _whole("status"),
        *_text("reason"),
        sa.PrimaryKeyConstraint("endpoint", "sequence", name="ledger_delivery_key"),
    )
    for name, columns in (
        ("ledger_delivery_pending", ["endpoint", "sequence"]),
        ("ledger_delivery_subject", ["endpoint", "subject", "sequence"]),
    ):
        _create_index(name, "ledger_delivery", columns, "state = 'pending'")


def _create_inbox() -> None:
    op.create_table(
        "ledger_inbox",
        _word("source"),
        _word("id"),
        _word("dag"),
        *_text("event"),
        _word("subject"),
        *_times("received_at"),
        *_text("state"),
        _whole("attempts"),
        *_times("next_at"),
        *_text("reason"),
        sa.PrimaryKeyConstraint("source", "id", "dag", name="ledger_inbox_key"),
    )
    _create_index("ledger_inbox_waiting", "ledger_inbox", ["received_at"], "state = 'waiting'")


def _create_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
