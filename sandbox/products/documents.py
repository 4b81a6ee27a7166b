"""What a stand-in holds: JSON documents in an SQLite file of its own, numbered by kind, and in memory for reading."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import defaultdict
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
        self._last = first
        self._kept: dict[str, dict[int, Document]] = defaultdict(dict)
        for number, kind, body in self._database.execute("SELECT number, kind, body FROM document ORDER BY number"):
            self._kept[kind][number] = json.loads(body)
            self._last = number

    def add(self, kind: str, body: Document) -> int:
        """Keep a new document and return its number."""
        with self.lock:
            self._last += 1
            self._database.execute("INSERT INTO document VALUES (?, ?, ?)", (self._last, kind, json.dumps(body)))
            self._kept[kind][self._last] = dict(body)
            return self._last

    def change(self, kind: str, number: int, body: Document) -> None:
        """Put another content in the place of a document's."""
        with self.lock:
            self._database.execute("UPDATE document SET body = ? WHERE number = ?", (json.dumps(body), number))
            self._kept[kind][number] = dict(body)

    def get(self, kind: str, number: Any) -> Document | None:
        """Return a document with its number as ``number``; None where there is none."""
        digits = str(number)
        with self.lock:
            document = self._kept[kind].get(int(digits)) if digits.isdecimal() else None
            return None if document is None else {**document, "number": int(digits)}

    def all(self, kind: str) -> list[Document]:
        """Return all documents of a kind, the oldest first."""
        with self.lock:
            return [{**body, "number": number} for number, body in self._kept[kind].items()]

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self._database.close()
