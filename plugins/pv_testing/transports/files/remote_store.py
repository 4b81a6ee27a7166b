"""A store that fsspec reaches: S3, GCS, Azure, SFTP. What fsspec raises becomes an error of our tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from pv_testing.core.errors import ConfigError, NetworkError, SecurityError, redact
from pv_testing.core.reasons import Reason
from pv_testing.transports.files.store import FileEntry, bounded, safe_name

SSH = frozenset({"sftp", "ssh"})
"""fsspec's own file system for these takes any server's key."""
ONE_STEP = frozenset({"sftp", "ssh", "memory", "smb"})
"""The protocols whose rename is one step; an object store copies and deletes."""
OBJECTS = frozenset({"s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "az"})
"""The protocols without folders: to make one would make the bucket, which may be one with a name that was misspelt."""


def universal_path(address: str) -> Any:
    """Return an fsspec path of an address.

    Raises:
        ConfigError: fsspec knows no such protocol, or its package isn't installed.
    """
    from upath import UPath

    if urlsplit(address).scheme in SSH:
        message = "SFTP needs an Airflow connection, whose server's key is checked: sftp://CONN_ID@/folder"
        raise ConfigError(message, code=Reason.STORE_UNUSABLE)
    try:
        path = UPath(address)
        path.fs  # noqa: B018 - the file system is made when it is asked for
    except (ImportError, ValueError) as error:
        message = f"the address of the file store can't be used: {redact(str(error), 200)}"
        raise ConfigError(message, code=Reason.STORE_UNUSABLE) from None
    return path


class RemoteStore:
    """A folder behind fsspec.

    Args:
        root: the folder, as a path with ``fs``, ``path`` and ``protocol``: a ``UPath`` or an ``ObjectStoragePath``.
    """

    def __init__(self, root: Any) -> None:
        self._root = str(root.path).rstrip("/")
        self._file_system = root.fs
        self.protocol = str(root.protocol)

    @property
    def renames(self) -> bool:
        """Whether a rename is one step here."""
        return self.protocol in ONE_STEP

    def names(self, folder: str) -> list[FileEntry]:
        """Return the files of a folder by name."""
        place = self._path(folder)
        try:
            with self._reaching(place) as fs:
                entries = [_entry(each) for each in fs.ls(place, detail=True) if each.get("type") == "file"]
        except FileNotFoundError:
            return []
        return sorted(each for each in entries if not each.name.startswith("."))

    def exists(self, folder: str, name: str) -> bool:
        """Say whether a file is there."""
        path = self._path(folder, name)
        with self._reaching(path) as fs:
            return bool(fs.exists(path))

    def read(self, folder: str, name: str, most: int) -> bytes:
        """Return a file's content; a link is never followed."""
        path = self._path(folder, name)
        with self._reaching(path) as fs:
            if fs.info(path).get("type") == "link":
                raise SecurityError(f"{path} is a link and isn't followed", code=Reason.FILE_LINK)
            with fs.open(path, "rb") as file:
                return bounded(file, most, path)

    def write(self, folder: str, name: str, content: bytes) -> None:
        """Write a file whole: an object store has it whole anyway, elsewhere it is renamed into its place."""
        place, path = self._path(folder), self._path(folder, name)
        with self._reaching(path) as fs:
            self._make_folder(fs, place)
            beside = f"{place}/.{uuid4().hex}.part" if self.renames else path
            fs.pipe_file(beside, content)
            if beside != path:
                self._rename(fs, beside, path)

    def move(self, folder: str, name: str, to_folder: str, to_name: str) -> None:
        """Rename a file."""
        old, new = self._path(folder, name), self._path(to_folder, to_name)
        with self._reaching(new) as fs:
            self._make_folder(fs, self._path(to_folder))
            self._rename(fs, old, new)

    def delete(self, folder: str, name: str) -> None:
        """Delete a file, if it is there."""
        path = self._path(folder, name)
        with self._reaching(path) as fs:
            try:
                fs.rm_file(path)
            except FileNotFoundError:
                return

    def where(self, folder: str, name: str = "") -> str:
        """Return the address without credentials."""
        return f"{self.protocol}://{self._path(folder, name) if name else self._path(folder)}"

    def _path(self, folder: str, name: str = "") -> str:
        parts = [*map(safe_name, folder.split("/") if folder else []), *([safe_name(name)] if name else [])]
        return "/".join([self._root, *parts])

    def _make_folder(self, fs: Any, place: str) -> None:
        if self.protocol not in OBJECTS:
            fs.makedirs(place, exist_ok=True)

    def _rename(self, fs: Any, old: str, new: str) -> None:
        if not self.renames:
            fs.cp_file(old, new)
            fs.rm_file(old)
            return
        client = getattr(fs, "ftp", None)
        if client is not None and hasattr(client, "posix_rename"):
            client.posix_rename(old, new)
        else:
            fs.mv(old, new)

    @contextmanager
    def _reaching(self, path: str) -> Iterator[Any]:
        try:
            self._file_system.invalidate_cache()  # other programs write here, too
            yield self._file_system
        except FileNotFoundError:
            self._refuse_missing_bucket()
            raise
        except SecurityError:
            raise
        except Exception as error:  # each file system has errors of its own
            message = f"{self.protocol}://{path} can't be reached: {type(error).__name__}: {redact(str(error), 200)}"
            raise NetworkError(message, code=Reason.STORE_UNREACHABLE) from error

    def _refuse_missing_bucket(self) -> None:
        """Say of a bucket that isn't there that it isn't: it is no empty folder."""
        bucket, gone = self._root.lstrip("/").partition("/")[0], False
        if self.protocol in OBJECTS:
            with suppress(Exception):  # what it raises says nothing of the file that was asked for
                gone = self._is_gone(bucket)
        if gone:
            message = f"{self.protocol}://{bucket} isn't there, or isn't shown to its connection"
            raise NetworkError(message, code=Reason.STORE_UNREACHABLE)

    def _is_gone(self, bucket: str) -> bool:
        """Whether a bucket isn't there; ``exists`` alone may also mean that the connection may see one folder only.

        Raises:
            Exception: the file system doesn't say; then the bucket may well be there.
        """
        if self._file_system.exists(bucket):
            return False
        try:
            self._file_system.info(bucket)
        except FileNotFoundError:  # an empty bucket, too, which exists
            return True
        return False


def _entry(info: dict[str, Any]) -> FileEntry:
    changed = info.get("mtime") or info.get("LastModified") or info.get("created") or 0
    seconds = changed.timestamp() if isinstance(changed, datetime) else float(changed)
    return FileEntry(str(info["name"]).rstrip("/").rpartition("/")[2], int(info.get("size") or 0), seconds)
