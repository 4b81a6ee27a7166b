"""Which file carries which record: in the ledger before the file can be seen, so that no file is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from pv_testing.core import clock, lease
from pv_testing.core.errors import DeadlineExceeded
from pv_testing.core.records import Prepared
from pv_testing.ledger import Ledger


class Carried(NamedTuple):
    """The last file that may carry a record.

    Attributes:
        file: its name.
        staged: under which name it was made ready.
        fingerprint: of the version that it carries.
        revision: of that version.
        since: when it was written, in epoch seconds of the ledger's clock.
    """

    file: str
    staged: str
    fingerprint: str
    revision: int
    since: float


class FileJournal:
    """What the ledger remembers of the files of one operation.

    Args:
        ledger: where.
        system: the system.
        operation: the operation.
    """

    def __init__(self, ledger: Ledger, system: str, operation: str) -> None:
        self._ledger = ledger
        self._system = system
        self._operation = operation
        self._place = f"files/{system}/{operation}"

    def now(self) -> float:
        """Return epoch seconds on the ledger's clock."""
        return self._ledger.now()

    def carried(self, key: str) -> Carried | None:
        """Return the last file that may carry a record; ``None`` where no file ever did."""
        kept: list[Any] = self._ledger.state(self._record(key), [])
        return Carried(*kept) if kept else None

    def begin(self, items: Sequence[Prepared], name: str, staged: str, content: bytes) -> str:
        """Give a file the next number, and note in the same transaction which records it carries.

        Args:
            items: the records.
            name: the file's name, with ``{sequence}``.
            staged: under which name it was made ready.
            content: all of it; the audit trail keeps its SHA-256.

        Returns:
            The file's name.

        Raises:
            DeadlineExceeded: the attempt's lease ends before; nothing is noted.
        """
        since, number = self.now(), 0

        def count(kept: str | None) -> str:
            nonlocal number
            # Within the transaction: whoever may claim the record after this lease then sees what is noted here.
            if clock.seconds() > lease.end():
                raise DeadlineExceeded("the lease ends before the file could be dropped; nothing was dropped")
            number = int(kept or 0) + 1
            return str(number)

        def carries(item: Prepared) -> Any:
            def kept_of(_: str | None) -> str:
                return orjson.dumps([_numbered(name, number), staged, item.fingerprint, item.revision, since]).decode()

            return kept_of

        marks = {f"{self._place}#": count, **{self._record(item.key): carries(item) for item in items}}
        detail = {"staged": staged, "sha256": sha256(content).hexdigest(), "records": len(items)}
        self._ledger.record("file", system=self._system, kind=self._operation, key=staged, detail=detail, marks=marks)
        return _numbered(name, number)

    def _record(self, key: str) -> str:
        return f"{self._place}/{sha256(key.encode()).hexdigest()[:40]}"


def _numbered(name: str, number: int) -> str:
    return name.replace("{sequence}", f"{number:010d}")
