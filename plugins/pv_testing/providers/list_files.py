"""Reads the lists that a system writes as files, and looks records up in them.

A list shows what is there at the time when it was written. What it doesn't show proves nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pv_testing.contracts.list_files import ListFile
from pv_testing.contracts.model import Find
from pv_testing.core.cells import text_of
from pv_testing.core.errors import NetworkError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Found
from pv_testing.transports.files.rows import read_rows
from pv_testing.transports.files.store import FileStore

ROUNDS = 8
Row = Mapping[str, Any]

log = logging.getLogger(__name__)


async def read_list(store: FileStore, listing: ListFile) -> list[dict[str, Any]]:
    """Return the rows of a list, once it has stopped changing; a row that can't be read is left out.

    Args:
        store: where it is.
        listing: how it looks.

    Raises:
        NetworkError: it isn't there or changes all the time (``LIST_MISSING``).
        DataError: it isn't what the contract declares.
    """
    where = store.where(listing.folder, listing.name)
    content = await _settled(store, listing, where)
    rows = []
    for row in await asyncio.to_thread(lambda: list(read_rows(content, listing.form, where))):
        if row.problem is None:
            rows.append(dict(row.values))
        else:
            log.warning("%s, row %d is left out: %s", where, row.number, row.problem)
    return rows


async def _settled(store: FileStore, listing: ListFile, where: str) -> bytes:
    """Return the content of a list that stays as it is, for it may be half written."""
    content = await asyncio.to_thread(_content, store, listing, where)
    if not listing.quiet:
        return content
    for _ in range(ROUNDS):
        await asyncio.sleep(listing.quiet)
        before, content = content, await asyncio.to_thread(_content, store, listing, where)
        if content == before:
            return content
    raise NetworkError(f"{where} changes all the time; the next try reads it", code=Reason.LIST_MISSING)


def _content(store: FileStore, listing: ListFile, where: str) -> bytes:
    try:
        return store.read(listing.folder, listing.name, listing.max_bytes)
    except FileNotFoundError:
        message = f"{where} isn't there; have the system write it, or correct list_file in the contract"
        raise NetworkError(message, code=Reason.LIST_MISSING) from None


def met(rows: Sequence[dict[str, Any]], criteria: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows that have some values, compared as a file shows them."""
    return [row for row in rows if all(text_of(row.get(name)) == text_of(value) for name, value in criteria.items())]


def by_key(rows: Sequence[Row], find: Find) -> dict[str, list[Row]]:
    """Return rows by their keys; those without one are records of others."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        key = find.found_key.fill(row)
        if key is not None:
            groups[key].append(row)
    return groups


def shown(find: Find, rows: Sequence[Row], wanted: Row, *, amends: bool) -> Found:
    """Return what the rows of one key show of a record.

    Args:
        find: what is compared, as text.
        rows: at least one.
        wanted: the record as it is sent.
        amends: whether each version is a record of its own.
    """
    texts = {name: text_of(value) for name, value in wanted.items() if value is not None}
    same = [row for row in rows if find.same({name: text_of(value) for name, value in row.items()}, texts)]
    row = (same or rows)[-1]
    copies = len(same) if amends else len(rows)
    return Found(text_of(find.id(row)), in_effect=bool(same), body=row, copies=max(1, copies))
