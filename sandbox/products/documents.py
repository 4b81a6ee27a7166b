"""What a stand-in holds: JSON documents in an SQLite file of its own, numbered by kind."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

Document = dict[str, Any]


class Documents:
    """Documents of several kinds; safe from several threads.

    Args:
        path: the SQLite file, which is made when missing.
        first: the number before the first document.
    """

    def __init__(self, path: Path, first: int = 10_000) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS document (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL)"
        )
        self._first = first

    def add(self, kind: str, body: Document) -> int:
        """Keep a new document and return its number."""
        with self.lock:
            (last,) = self._database.execute("SELECT MAX(number) FROM document").fetchone()
            number = int(last or self._first) + 1
            self._database.execute("INSERT INTO document VALUES (?, ?, ?)", (number, kind, json.dumps(body)))
            return number

    def change(self, number: int, body: Document) -> None:
        """Put another content in the place of a document's."""
        with self.lock:
            self._database.execute("UPDATE document SET body = ? WHERE number = ?", (json.dumps(body), number))

    def get(self, kind: str, number: Any) -> Document | None:
        """Return a document with its number as ``number``; None where there is none."""
        digits = str(number)
        if not digits.isdecimal():
            return None
        with self.lock:
            row = self._database.execute(
                "SELECT number, body FROM document WHERE kind = ? AND number = ?", (kind, int(digits))
            ).fetchone()
        return None if row is None else {**json.loads(row[1]), "number": row[0]}

    def all(self, kind: str) -> list[Document]:
        """Return all documents of a kind, the oldest first."""
        with self.lock:
            rows = self._database.execute(
                "SELECT number, body FROM document WHERE kind = ? ORDER BY number", (kind,)
            ).fetchall()
        return [{**json.loads(body), "number": number} for number, body in rows]

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self._database.close()
