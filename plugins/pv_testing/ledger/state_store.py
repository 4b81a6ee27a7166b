"""What steps remember between their runs: JSON values by key, read as they are and changed in one transaction.

A step that reads a value, changes it and writes it back would undo what another one has written in between. Therefore
a value is only ever changed by a function of the value that is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import orjson

from pv_testing.ledger import marks
from pv_testing.ledger.store import Store

Value = TypeVar("Value")


def read(store: Store, key: str, empty: Value) -> Value:
    """Return the value that is remembered under a key.

    Args:
        store: the database.
        key: such as ``erp/invoice/SR-2025-0123``.
        empty: the value that is returned where nothing is remembered; it has the type of the value.
    """
    return _decoded(marks.watermark(store, key), empty)


def update(store: Store, key: str, change: Callable[[Value], Value], empty: Value) -> Value:
    """Change the value under a key in one transaction, and return the new one.

    Args:
        store: the database.
        key: as for :func:`read`.
        change: makes the new value of the one that is kept, and leaves that one as it is; it may be called more than
            once, and must be quick. Where both say the same, nothing is written.
        empty: what ``change`` is given where nothing is kept.
    """
    changed = empty

    def encoded(kept: str | None) -> str | None:
        nonlocal changed
        before = _decoded(kept, empty)
        changed = change(before)
        return kept if changed == before else orjson.dumps(changed).decode()

    marks.change_watermark(store, key, encoded)
    return changed


def _decoded(kept: str | None, empty: Value) -> Value:
    value: Value = empty if kept is None else orjson.loads(kept)
    return value
