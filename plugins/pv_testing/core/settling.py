"""What an exchange wants done in the transaction of a write, where the ledger is in the database that is written to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from pv_testing.core.records import Prepared, Reply

Settle = Callable[[Any, Sequence[Prepared], Sequence[Reply]], None]
"""Settles records by the replies that they will get, on the connection of their write; what it raises undoes that."""

settle: ContextVar[Settle | None] = ContextVar("settle", default=None)
