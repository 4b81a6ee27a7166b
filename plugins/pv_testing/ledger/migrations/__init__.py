"""Alembic's scripts for the ledger's tables."""
