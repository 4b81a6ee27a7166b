"""Files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from pv_testing.transports.files.whole import written_whole

NAME_LIMIT = 100


def write_whole(target: Path, content: bytes) -> Path:
    """Write a file beside its place and rename it there, so that no reader ever sees half of it.

    Args:
        target: the file; an earlier one is replaced, and its folder is made where it doesn't exist.
        content: all of it.

    Returns:
        The file.

    Raises:
        ConfigError: it can't be written there.
    """
    with written_whole(target) as file:
        file.write(content)
    return target


def file_name(text: str) -> str:
    """Return a name of letters, digits, dots, ``_`` and ``-``; two texts never get the same one.

    Args:
        text: such as a service request's number, which may hold anything.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip(".")[:NAME_LIMIT]
    return safe if safe == text else f"{safe}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
