"""Which process keeps an SQLite file's write lock, so that a message can name it.

Only the operating system knows. It is asked through ``/proc``, because opening the file that carries the locks, and
closing it again, would drop those of this process.
"""

from __future__ import annotations

from pathlib import Path

_WRITE_LOCK = 120  # the byte of the -shm file that a writer locks in write-ahead mode
_STOPPED = frozenset("Tt")


def holder(database: str) -> str:
    """Return words for the process that holds the write lock; empty where the operating system doesn't tell.

    Args:
        database: the path of the SQLite file.
    """
    try:
        inode = Path(f"{database.removeprefix('file:')}-shm").stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return ""
    pid = next((pid for line in locks if (pid := _holds(line.split(), inode))), "")
    return f"process {pid}{', which is stopped,' if _is_stopped(pid) else ''}" if pid else ""


def _holds(fields: list[str], inode: int) -> str:
    """Return the process of a line such as ``1: POSIX ADVISORY WRITE 1234 08:01:5678 120 120`` if it is the one."""
    if len(fields) != 8 or fields[1] != "POSIX" or fields[3] != "WRITE" or fields[5].rpartition(":")[2] != str(inode):
        return ""
    return fields[4] if fields[6] == str(_WRITE_LOCK) else ""


def _is_stopped(pid: str) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] in _STOPPED
