"""Refuses archives that are made to harm, before a library opens them: a workbook is one."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib

from pv_testing.core.errors import SecurityError
from pv_testing.core.reasons import Reason

MOST_PARTS = 2_000
MOST_BYTES = 256 * 2**20
RATIO = 200
SMALL = 8 * 2**20
"""What unpacks to no more than this may be packed as tightly as it likes."""
STEP = 1 << 20
NESTED = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")


def refuse_harmful(content: bytes, where: str) -> None:
    """Return if an archive may be opened.

    Its own word on sizes isn't believed: every part is unpacked and counted here, and thrown away.

    Args:
        content: the archive.
        where: its name, for messages.

    Raises:
        SecurityError: it is no archive, explodes, holds archives or links, or a part's name leads elsewhere.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _refuse_parts(archive, where)
            total = 0
            for part in archive.infolist():
                total = _counted(archive, part, total, where)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise SecurityError(f"{where} is no workbook: {error}", code=Reason.ARCHIVE_BROKEN) from None


def _refuse_parts(archive: zipfile.ZipFile, where: str) -> None:
    parts = archive.infolist()
    if len(parts) > MOST_PARTS:
        raise _bomb(where, f"has {len(parts):,} parts")
    if sum(part.file_size for part in parts) > MOST_BYTES:
        raise _bomb(where, f"says itself that it unpacks to more than {MOST_BYTES:,} bytes")
    for part in parts:
        outside = part.filename.startswith(("/", "\\")) or ".." in part.filename.replace("\\", "/").split("/")
        if outside or ":" in part.filename or stat.S_ISLNK(part.external_attr >> 16):
            message = f"{where} has a part whose name leads elsewhere, {part.filename[:60]!r}"
            raise SecurityError(message, code=Reason.ARCHIVE_PATH)


def _counted(archive: zipfile.ZipFile, part: zipfile.ZipInfo, total: int, where: str) -> int:
    size = 0
    with archive.open(part) as file:
        while piece := file.read(STEP):
            if not size and piece.startswith(NESTED):
                raise _bomb(where, f"holds an archive, {part.filename[:60]!r}")
            if b"<!DOCTYPE" in piece[:STEP]:
                raise SecurityError(f"{where} has a DOCTYPE in {part.filename[:60]!r}", code=Reason.DOCTYPE)
            size += len(piece)
            if size + total > MOST_BYTES or (size > SMALL and size > RATIO * part.compress_size):
                raise _bomb(where, f"unpacks to {RATIO} times its size, or to more than {MOST_BYTES:,} bytes")
    return total + size


def _bomb(where: str, why: str) -> SecurityError:
    return SecurityError(f"{where} {why} and isn't opened", code=Reason.ARCHIVE_BOMB)
