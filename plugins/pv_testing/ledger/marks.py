"""What outlives a process beside the records: how far a sweep came, and until when a system wants to be left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Table, insert, select, update

from pv_testing.ledger.store import Store, Writing
from pv_testing.ledger.tables import pause as pauses
from pv_testing.ledger.tables import watermark as watermarks


def watermark(store: Store, name: str) -> str | None:
    """Return the value kept under a name, or ``None``."""
    with store.reading() as connection:
        value = connection.scalar(select(watermarks.c.value).where(watermarks.c.name == name))
    return None if value is None else str(value)


def set_watermark(store: Store, name: str, value: str) -> None:
    """Keep a value under a name."""
    with store.writing() as writing:
        _put(writing, watermarks, {"name": name}, {"value": value})


def change_watermark(store: Store, name: str, change: Callable[[str | None], str]) -> None:
    """Change the value kept under a name in one transaction, so that no other process's change is lost."""
    before = watermark(store, name)
    if change(before) == before:
        return
    with store.writing() as writing:
        kept = writing.connection.scalar(select(watermarks.c.value).where(watermarks.c.name == name))
        _put(writing, watermarks, {"name": name}, {"value": change(kept)})


def paused_until(store: Store, system: str) -> float:
    """Return until when the system wants to be left alone, in epoch seconds; 0 when it doesn't."""
    with store.reading() as connection:
        return float(connection.scalar(select(pauses.c.until).where(pauses.c.system == system)) or 0.0)


def pause(store: Store, system: str, until: float) -> None:
    """Keep the longest wait that a system has asked for."""
    if until <= paused_until(store, system):
        return
    with store.writing() as writing:
        now_kept = writing.connection.scalar(select(pauses.c.until).where(pauses.c.system == system)) or 0.0
        _put(writing, pauses, {"system": system}, {"until": max(until, now_kept)})


def _put(writing: Writing, table: Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    ((name, wanted),) = key.items()
    if not writing.connection.execute(update(table).where(table.c[name] == wanted).values(values)).rowcount:
        writing.connection.execute(insert(table).values({**key, **values}))
