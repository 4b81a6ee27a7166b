"""Files that appear whole or not at all: written beside their place, forced to the disk, and renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

from pv_testing.core.errors import ConfigError
from pv_testing.core.reasons import Reason

PART = ".part"


@contextmanager
def written_whole(target: Path) -> Iterator[IO[bytes]]:
    """Give a file to write, which stands in its place once all of it is on the disk.

    Args:
        target: the file; what is there already is replaced, and its folder is made where it doesn't exist. When the
            writer fails, nothing is left.

    Raises:
        ConfigError: it can't be written there.
    """
    beside = target.with_name(f".{uuid4().hex}{PART}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("xb", buffering=1 << 18) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
        keep_folder(target.parent)
    except OSError as error:
        raise ConfigError(
            f"{target}: can't be written: {error.strerror or error}", code=Reason.FILE_UNWRITABLE
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink()


def keep_folder(folder: Path) -> None:
    """Force to the disk which names a folder has; where the operating system can't, a rename is all there is."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
