"""The folders of an import: what is dropped, what is claimed, what is kept, what is to be corrected."""

from __future__ import annotations

import logging
import re
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import NamedTuple
from uuid import uuid4

from pv_testing.contracts.imports import FileImport
from pv_testing.transports.files.store import FileStore, now

LEASE = 900.0
"""Seconds after which a claimed file is another run's: the one that had it is gone."""
CLAIMED, ARCHIVE, REJECTED = "claimed", "archive", "rejected"
_CLAIM = re.compile(r"(?P<seconds>\d{10})(?:-[0-9a-f]{8})?~(?P<name>.+)", re.ASCII | re.DOTALL)
"""The name of a claimed file: the mark keeps files of one name apart that are claimed in one second."""

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
        folder = self._within(CLAIMED) if self._is_left_behind(name) else self._how.folder
        claimed = f"{int(now()):010d}-{uuid4().hex[:8]}~{original(name)}"
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
        """Move a file that can't be read at all to the rejected ones; return its address.

        Another file of its name may wait there for a person: then it gets a mark that no other one has.
        """
        rejected, name = self._within(REJECTED), original(claimed)
        if self._store.exists(rejected, name):
            name = _name_with(name, uuid4().hex[:8])
        self._store.move(self._within(CLAIMED), claimed, rejected, name)
        return self._store.where(rejected, name)

    def _is_left_behind(self, name: str) -> bool:
        """Whether a run has left a file behind; a person may have put it back to the dropped ones under that name."""
        return _stale(name) and self._store.exists(self._within(CLAIMED), name)

    def _within(self, folder: str) -> str:
        return f"{self._how.folder}/{folder}"


def original(name: str) -> str:
    """Return under which name a claimed file was dropped."""
    claim = _CLAIM.fullmatch(name)
    return claim["name"] if claim else name


def rejected_name(file: ClaimedFile) -> str:
    """Return the name of the file with the rejected rows of another one."""
    return _name_with(file.name, f"{file.digest[:8]}.rejected")


def _name_with(name: str, words: str) -> str:
    """Return a name with words before its ending."""
    return f"{name.rpartition('.')[0] or name}.{words}{_ending(name)}"


def _ending(name: str) -> str:
    return f".{name.rpartition('.')[2]}" if "." in name else ""


def _stale(name: str) -> bool:
    claim = _CLAIM.fullmatch(name)
    return claim is not None and int(claim["seconds"]) + LEASE < now()
