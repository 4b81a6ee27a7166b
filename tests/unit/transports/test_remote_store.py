"""A bucket that isn't there is an error; one of which a connection may see a folder only is none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pv_testing.core.errors import NetworkError
from pv_testing.transports.files.remote_store import RemoteStore


class Objects(MemoryFileSystem):
    """Objects in memory, without folders that are made."""

    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.store, self.pseudo_dirs = {}, [""]


class OneFolder(Objects):
    """A store that says of a bucket that it isn't there, and refuses to tell more, to those who may list one folder."""

    def exists(self, path: str, **more: Any) -> bool:
        return path.strip("/") != "lab" and bool(super().exists(path, **more))

    def info(self, path: str, **more: Any) -> Any:
        if path.strip("/") == "lab":
            raise PermissionError("Access Denied")
        return super().info(path, **more)


def store(fs: MemoryFileSystem) -> RemoteStore:
    return RemoteStore(SimpleNamespace(fs=fs, path="lab/exchange", protocol="s3"))


def test_a_connection_that_may_see_one_folder_finds_the_files_that_are_not_there_missing() -> None:
    limited = store(OneFolder())
    assert limited.names("in/claimed") == []
    limited.write("in", "a.csv", b"1")
    assert [each.name for each in limited.names("in")] == ["a.csv"]
    assert limited.names("in/claimed") == []
    with pytest.raises(FileNotFoundError):
        limited.move("in", "b.csv", "in/claimed", "b.csv")


def test_a_bucket_that_is_not_there_is_an_error() -> None:
    with pytest.raises(NetworkError, match="lab isn't there"):
        store(Objects()).names("in")
