"""A store of files that keeps what is dropped and read as evidence, and hides answers on demand."""

from __future__ import annotations

from pv_testing.testing.recorder import Recorder
from pv_testing.transports.files.store import FileEntry, FileStore


class WatchedStore:
    """Stands before the store of a provider while a contract is tried.

    Args:
        inner: the store.
        recorder: keeps the files; while it withholds an answer, nothing can be read.
    """

    def __init__(self, inner: FileStore, recorder: Recorder) -> None:
        self._inner = inner
        self._recorder = recorder
        self._written: dict[str, bytes] = {}

    @property
    def renames(self) -> bool:
        """Whether a rename is one step."""
        return self._inner.renames

    def names(self, folder: str) -> list[FileEntry]:
        """Return the files of a folder by name."""
        return self._inner.names(folder)

    def exists(self, folder: str, name: str) -> bool:
        """Say whether a file is there."""
        return self._inner.exists(folder, name)

    def read(self, folder: str, name: str, most: int) -> bytes:
        """Return a file's content, and keep it as evidence."""
        if self._recorder.hides:
            raise FileNotFoundError(f"{name} is withheld by the trial")
        content = self._inner.read(folder, name, most)
        self._recorder.has_read(f"{folder}/{name}", content)
        return content

    def write(self, folder: str, name: str, content: bytes) -> None:
        """Write a file whole; where the store can't rename, that drops it."""
        self._inner.write(folder, name, content)
        if self.renames:
            self._written[name] = content
        else:
            self._recorder.dropped(f"{folder}/{name}", content)

    def move(self, folder: str, name: str, to_folder: str, to_name: str) -> None:
        """Rename a file; into another folder, that drops it."""
        self._inner.move(folder, name, to_folder, to_name)
        if folder != to_folder:
            self._recorder.dropped(f"{to_folder}/{to_name}", self._written.pop(name, b""))

    def delete(self, folder: str, name: str) -> None:
        """Delete a file, if it is there."""
        self._inner.delete(folder, name)

    def where(self, folder: str, name: str = "") -> str:
        """Return the address of a folder or file for messages."""
        return self._inner.where(folder, name)
