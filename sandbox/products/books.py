"""What the ERPs that stand in for others keep: customers, and documents with their lines, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from threading import RLock
from typing import Any

from sandbox.seed import CUSTOMERS

CENT = Decimal("0.01")
RATE = Decimal(19)
ABROAD = CUSTOMERS[1:]
"""The customers whose invoices carry no tax."""
GENERAL_ITEM = "PV-TEST"
TAX_PER_LINE = "tax_per_line"
"""The trap in which an ERP rounds the tax of each line up, so that its total isn't ours."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, fields TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS document (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, fields TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class Books:
    """The database of one ERP.

    Args:
        folder: where its file is.
        traps: those that are switched on.
    """

    def __init__(self, folder: Path, traps: Collection[str]) -> None:
        self._lock = RLock()
        self._connection = sqlite3.connect(folder / "books.sqlite", check_same_thread=False, isolation_level=None)
        self._connection.executescript(SCHEMA)
        self._traps = frozenset(traps)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do everything within, or nothing."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def number(self, name: str) -> int:
        """Return the next number of a series."""
        with self._lock:
            counted = "INSERT INTO counter VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"
            return int(self._connection.execute(f"{counted} RETURNING value", (name,)).fetchone()[0])

    def add_customer(self, name: str, fields: Mapping[str, Any]) -> int:
        """Keep a customer and return the id."""
        with self._lock:
            values = (name, json.dumps(dict(fields)))
            added = self._connection.execute("INSERT INTO customer (name, fields) VALUES (?, ?)", values)
            return int(added.lastrowid or 0)

    def know_customer(self, name: str) -> None:
        """Keep a customer, unless there is one of that name."""
        if name not in {each["name"] for each in self.customers()}:
            self.add_customer(name, {})

    def customers(self) -> list[dict[str, Any]]:
        """Return all customers."""
        with self._lock:
            rows = self._connection.execute("SELECT id, name, fields FROM customer ORDER BY id").fetchall()
        return [{**json.loads(fields), "id": number, "name": name} for number, name, fields in rows]

    def add(self, kind: str, fields: Mapping[str, Any]) -> int:
        """Keep a document and return the id."""
        with self._lock:
            values = (kind, json.dumps(dict(fields)))
            added = self._connection.execute("INSERT INTO document (kind, fields) VALUES (?, ?)", values)
            return int(added.lastrowid or 0)

    def keep(self, identity: int, fields: Mapping[str, Any]) -> None:
        """Write a document anew."""
        kept = json.dumps({name: value for name, value in fields.items() if name != "_id"})
        with self._lock:
            self._connection.execute("UPDATE document SET fields = ? WHERE id = ?", (kept, identity))

    def documents(self, kind: str) -> list[dict[str, Any]]:
        """Return all documents of a kind, oldest first; ``_id`` is the database's own id."""
        with self._lock:
            rows = self._connection.execute("SELECT id, fields FROM document WHERE kind = ? ORDER BY id", (kind,))
            return [{**json.loads(fields), "_id": number} for number, fields in rows.fetchall()]

    def amounts(self, lines: Sequence[tuple[Any, Any]], customer: str) -> tuple[Decimal, Decimal, Decimal]:
        """Return net, tax and total of lines, each quantity and price; the tax is on the sum, or as a trap rounds.

        Args:
            lines: quantity and price of each.
            customer: by name, as it depends on the country.
        """
        rate = Decimal(0) if customer in ABROAD else RATE
        nets = [cents(Decimal(str(quantity)) * Decimal(str(price))) for quantity, price in lines]
        net = sum(nets, Decimal(0))
        tax = cents(net * rate / 100)
        if TAX_PER_LINE in self._traps:
            tax = sum((cents(each * rate / 100 + CENT) for each in nets), Decimal(0))
        return net, tax, net + tax


def cents(amount: Decimal) -> Decimal:
    """Return an amount in whole cents, rounded half up."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def is_item(number: str) -> bool:
    """Say whether an ERP knows an item: one for each protocol, and a general one."""
    prefix, _, digits = number.partition("-")
    return number == GENERAL_ITEM or (prefix == "PVTP" and digits.isdecimal() and len(digits) == 3)


def invoice_row(
    key: str, number: str, amounts: tuple[Decimal, Decimal, Decimal], lines: int, *, posted: bool
) -> dict[str, Any]:
    """Return an invoice as tests compare it."""
    net, tax, total = amounts
    return {"key": key, "posted": posted, "net": net, "tax": tax, "total": total, "lines": lines, "number": number}
