"""The timetables of limits that all tasks and hosts share; they are no evidence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_Word = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table; what it holds is of no use after a minute, but for the counts of an hour and a day."""
    op.create_table(
        "ledger_timetable",
        sa.Column("system", _Word, primary_key=True),
        sa.Column("state", sa.Text(), nullable=False),
    )
