"""The folders of an import: what is dropped, what is claimed, what is kept, what is to be corrected."""

from __future__ import annotations

import logging
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import NamedTuple

from pv_testing.contracts.imports import FileImport
from pv_testing.transports.files.store import FileStore, now

LEASE = 900.0
"""Seconds after which a claimed file is another run's: the one that had it is gone."""
CLAIMED, ARCHIVE, REJECTED = "claimed", "archive", "rejected"
_SIGN = "~"

log = logging.getLogger(__name__)


class ClaimedFile(NamedTuple):
    """A file that is this run's.

    Attributes:
        name: as it was dropped.
        claimed: as it is called now.
        content: all of it.
    """

    name: str
    claimed: str
    content: bytes

    @property
    def digest(self) -> str:
        """The SHA-256 of the content."""
        return sha256(self.content).hexdigest()


class Folders:
    """The folders of one import: of what is dropped, and within it ``claimed``, ``archive`` and ``rejected``.

    Args:
        store: where they are.
        how: the import.
    """

    def __init__(self, store: FileStore, how: FileImport) -> None:
        self._store, self._how = store, how

    def dropped(self) -> list[str]:
        """Return the names of the files that may be taken: left alone for a while, or left behind by a run."""
        until = now() - self._how.quiet
        fresh = [
            each.name
            for each in self._store.names(self._how.folder)
            if fnmatchcase(each.name, self._how.pattern) and each.changed <= until
        ]
        left = [each.name for each in self._store.names(self._within(CLAIMED)) if _stale(each.name)]
        return [*left, *fresh]

    def claim(self, name: str) -> str | None:
        """Take a file by renaming it; return its new name, or ``None`` where another run was faster."""
        folder = self._within(CLAIMED) if _stale(name) else self._how.folder
        claimed = f"{int(now()):010d}{_SIGN}{original(name)}"
        try:
            self._store.move(folder, name, self._within(CLAIMED), claimed)
        except FileNotFoundError:
            return None
        return claimed

    def read(self, claimed: str) -> ClaimedFile:
        """Return a claimed file.

        Raises:
            SecurityError: it is too large, or no regular file.
        """
        content = self._store.read(self._within(CLAIMED), claimed, self._how.max_bytes)
        return ClaimedFile(original(claimed), claimed, content)

    def archive(self, file: ClaimedFile) -> str:
        """Keep a file under its SHA-256, and let go of the claim; return where it is."""
        name = f"{file.digest}{_ending(file.name)}"
        self._store.write(self._within(ARCHIVE), name, file.content)
        self._store.delete(self._within(CLAIMED), file.claimed)
        return name

    def reject(self, name: str, content: bytes) -> str:
        """Write a file of rejected rows, or of why a file is refused; return its address."""
        self._store.write(self._within(REJECTED), name, content)
        return self._store.where(self._within(REJECTED), name)

    def set_aside(self, claimed: str) -> str:
        """Move a file that can't be read at all to the rejected ones; return its address."""
        name = original(claimed)
        self._store.move(self._within(CLAIMED), claimed, self._within(REJECTED), name)
        return self._store.where(self._within(REJECTED), name)

    def _within(self, folder: str) -> str:
        return f"{self._how.folder}/{folder}"


def original(name: str) -> str:
    """Return under which name a claimed file was dropped."""
    begin, sign, rest = name.partition(_SIGN)
    return rest if sign and begin.isdigit() and len(begin) == 10 else name


def rejected_name(file: ClaimedFile) -> str:
    """Return the name of the file with the rejected rows of another one."""
    stem = file.name.rpartition(".")[0] or file.name
    return f"{stem}.{file.digest[:8]}.rejected{_ending(file.name)}"


def _ending(name: str) -> str:
    return f".{name.rpartition('.')[2]}" if "." in name else ""


def _stale(name: str) -> bool:
    begin, sign, _ = name.partition(_SIGN)
    return bool(sign and begin.isdigit() and len(begin) == 10 and int(begin) + LEASE < now())
