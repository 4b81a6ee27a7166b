"""Listings in pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sqlite3 import Row
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sandbox.store import Database

MAX_LIMIT = 100


class Page(BaseModel):
    """The query parameters of every listing; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")

    page: int = Field(default=1, ge=1)
    limit: int = Field(default=20, ge=1, le=MAX_LIMIT)


def listing(
    store: Database,
    columns: str,
    table: str,
    conditions: Sequence[tuple[str, Any]],
    page: Page,
    view: Callable[[Row], dict[str, Any]],
) -> dict[str, Any]:
    """Return one page of a table in the envelope ``{total, page, limit, pages, data}``.

    Args:
        store: the database.
        columns: to select.
        table: the table, with joins if need be.
        conditions: SQL conditions with one placeholder and its value each; those with the value None don't apply.
        page: which page.
        view: makes an item of the listing from a row.
    """
    applied = [(sql, value) for sql, value in conditions if value is not None]
    where = " AND ".join(sql for sql, _ in applied) or "1"
    values = [value for _, value in applied]
    total = store.value(f"SELECT count(*) FROM {table} WHERE {where}", values)  # noqa: S608
    offset = (page.page - 1) * page.limit
    rows = store.rows(
        f"SELECT {columns} FROM {table} WHERE {where} ORDER BY 1 LIMIT ? OFFSET ?",  # noqa: S608
        [*values, page.limit, offset],
    )
    pages = -(-total // page.limit)
    return {"total": total, "page": page.page, "limit": page.limit, "pages": pages, "data": [view(row) for row in rows]}
