"""A store of files: a folder of this machine, or one that fsspec reaches, with the few things that a drop needs."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from pv_testing.core.errors import ConfigError, NetworkError, SecurityError
from pv_testing.core.reasons import Reason
from pv_testing.transports.files.whole import keep_folder, written_whole

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f]")
CHUNK = 1 << 20
OpenPath = Callable[[str], Any]
"""Makes a path of an address such as ``s3://bucket/in``: an fsspec path, or Airflow's ``ObjectStoragePath``."""


class FileEntry(NamedTuple):
    """A file of a folder.

    Attributes:
        name: without its folder.
        size: bytes.
        changed: epoch seconds; 0 where the store doesn't say.
    """

    name: str
    size: int
    changed: float


class FileStore(Protocol):
    """What a store can do; a file is named by its folder and its name, which can't climb out of it.

    Every method raises :class:`NetworkError` where the store can't be reached now, and ``FileNotFoundError`` where a
    file that must be there isn't.
    """

    @property
    def renames(self) -> bool:
        """Whether a rename is one step, so that of two processes only one can have done it."""

    def names(self, folder: str) -> list[FileEntry]:
        """Return the files of a folder by name; links and folders are no files, and a missing folder has none."""

    def exists(self, folder: str, name: str) -> bool:
        """Say whether a file is there."""

    def read(self, folder: str, name: str, most: int) -> bytes:
        """Return a file's content; :class:`SecurityError` where it is larger than ``most`` bytes."""

    def write(self, folder: str, name: str, content: bytes) -> None:
        """Write a file whole."""

    def move(self, folder: str, name: str, to_folder: str, to_name: str) -> None:
        """Rename a file; what is in the new place is replaced."""

    def delete(self, folder: str, name: str) -> None:
        """Delete a file, if it is there."""

    def where(self, folder: str, name: str = "") -> str:
        """Return the address of a folder or file for messages, without credentials."""


class LocalStore:
    """A folder of this machine, which may be a network drive.

    Args:
        root: the folder; it must exist, so that a drive that isn't mounted is noticed.
    """

    renames = True

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self, folder: str) -> list[FileEntry]:
        """Return the regular files of a folder by name."""
        entries = []
        with _reaching(self.where(folder)):
            self._refuse_missing()
            place = self._folder(folder)
            if not place.is_dir():
                return []
            with os.scandir(place) as listed:
                for each in listed:
                    if each.is_file(follow_symlinks=False) and not each.name.startswith("."):
                        about = each.stat(follow_symlinks=False)
                        entries.append(FileEntry(each.name, about.st_size, about.st_mtime))
        return sorted(entries)

    def exists(self, folder: str, name: str) -> bool:
        """Say whether a file is there; a folder that isn't mounted is an error, not an absence."""
        with _reaching(self.where(folder, name)):
            self._refuse_missing()
            return os.path.lexists(self._path(folder, name))

    def read(self, folder: str, name: str, most: int) -> bytes:
        """Return the content of a regular file; a link is never followed."""
        path = self._path(folder, name)
        with _reaching(self.where(folder, name)), os.fdopen(self._opened(path), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SecurityError(f"{path} is no regular file and isn't read", code=Reason.FILE_LINK)
            return bounded(file, most, str(path))

    def write(self, folder: str, name: str, content: bytes) -> None:
        """Write a file whole."""
        self._refuse_missing()
        with written_whole(self._path(folder, name)) as file:
            file.write(content)

    def move(self, folder: str, name: str, to_folder: str, to_name: str) -> None:
        """Rename a file."""
        old, new = self._path(folder, name), self._path(to_folder, to_name)
        with _reaching(self.where(to_folder, to_name)):
            self._refuse_missing()
            new.parent.mkdir(parents=True, exist_ok=True)
            old.rename(new)
            keep_folder(new.parent)
            keep_folder(old.parent)

    def delete(self, folder: str, name: str) -> None:
        """Delete a file, if it is there."""
        with _reaching(self.where(folder, name)):
            self._path(folder, name).unlink(missing_ok=True)

    def where(self, folder: str, name: str = "") -> str:
        """Return the path."""
        return str(self.root / folder / name) if name else str(self.root / folder)

    def _opened(self, path: Path) -> int:
        try:
            return os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        except FileNotFoundError:
            raise
        except OSError as error:
            if path.is_symlink():
                raise SecurityError(f"{path} is a link and isn't followed", code=Reason.FILE_LINK) from None
            raise error from None

    def _folder(self, folder: str) -> Path:
        return self.root.joinpath(*map(safe_name, folder.split("/"))) if folder else self.root

    def _path(self, folder: str, name: str) -> Path:
        return self._folder(folder) / safe_name(name)

    def _refuse_missing(self) -> None:
        if not self.root.is_dir():
            raise NetworkError(f"{self.root} is no folder, or its drive isn't mounted", code=Reason.STORE_UNREACHABLE)


def safe_name(name: str) -> str:
    """Return a name that is one part of a path and nothing else.

    Raises:
        SecurityError: it has separators or control characters, or leads elsewhere.
    """
    if not name or name in {".", ".."} or _UNSAFE.search(name):
        raise SecurityError(
            f"{name[:80]!r} is no name of a file; it could lead to another folder", code=Reason.FILE_NAME
        )
    return name


def bounded(file: Any, most: int, where: str) -> bytes:
    """Return the content of an open file that isn't larger than some bytes.

    Raises:
        SecurityError: it is larger.
    """
    content: bytes = file.read(most + 1)
    if len(content) > most:
        message = f"{where} has more than {most:,} bytes; split it, or raise max_bytes in the contract"
        raise SecurityError(message, code=Reason.FILE_TOO_LARGE)
    return content


@contextmanager
def _reaching(where: str) -> Iterator[None]:
    """Say of an error of the operating system which file it is about, and that another try may help."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        message = f"{where} can't be reached: {error.strerror or error}"
        raise NetworkError(message, code=Reason.STORE_UNREACHABLE) from error


def open_store(address: str, open_path: OpenPath | None = None) -> FileStore:
    """Return a store.

    Args:
        address: a folder, ``file:///srv/exchange``, or an address that fsspec knows, such as ``s3://bucket/in``.
        open_path: makes a path of an address that is no folder; fsspec's own way without it. Airflow's side gives
            ``ObjectStoragePath``, which takes the credentials of a connection: ``sftp://CONN_ID@/in``.

    Raises:
        ConfigError: nothing here knows such an address.
    """
    from pv_testing.transports.files.remote_store import RemoteStore, universal_path

    if not _ADDRESS.match(address):
        return LocalStore(Path(address).expanduser())
    parts = urlsplit(address)
    if parts.scheme == "file":
        return LocalStore(Path(unquote(parts.path)))
    if parts.password is not None:
        message = "the address of the file store carries a password; name an Airflow connection instead"
        raise ConfigError(message, code=Reason.STORE_UNUSABLE)
    return RemoteStore((open_path or universal_path)(address))


def now() -> float:
    """Return epoch seconds, for the age of files."""
    return time.time()
