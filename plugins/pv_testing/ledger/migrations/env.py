"""Run the migrations on the connection, and in the transaction, that the ledger gives."""

from __future__ import annotations

from alembic import context

from pv_testing.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="ledger_version",
)
with context.begin_transaction():
    context.run_migrations()
