"""What a database driver complains of, in words that say what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pv_testing.core.errors import LedgerError, redact
from pv_testing.ledger.holder import holder

# The first that the driver's message contains decides: SQLite's words, and PostgreSQL's.
RESTORE = (
    "restore the ledger from a backup, then set look_first: true in the contracts' operations and run each DAG once, "
    "because the backup is older than the systems"
)
_OTHER = "another process"
_HANGS = f"{_OTHER} has held its write lock for longer than half a minute: look for one that hangs, and end it"
_FROZEN = "the database server took a request and did not answer it: see whether it, its machine or its disk hangs"
_ADVICE = (
    ("no answer for", _FROZEN),
    ("database or disk is full", "the disk is full: free space"),
    ("no space left on device", "the database server's disk is full: free space there"),
    ("disk i/o error", "the disk fails: check it and its free space"),
    ("readonly database", "it is read-only: let this user write the file and its folder"),
    ("read-only transaction", "the database server is read-only, a standby perhaps: connect to the primary"),
    ("unable to open database file", "check that its folder exists and that this user may write there"),
    ("database is locked", _HANGS),
    ("lock timeout", _HANGS),
    ("malformed", f"the file is damaged: {RESTORE}"),
    ("not a database", "the file is not an SQLite database: check the path"),
    ("authentication failed", "the database server refuses the user or the password: check the connection"),
    ("permission denied", "the database user lacks a privilege on the ledger's tables: have it granted"),
    ("does not exist", "a database, role or table is missing: check the connection"),
    ("can't be changed", "the audit trail can't be changed, not even by SQL"),
)
# Classes of SQLSTATE in which the server has answered: its word is about what was asked, not about itself.
_ANSWERS = ("22", "23", "42", "54")
_UNREACHABLE = "the database doesn't answer: check that it runs and can be reached, then try again"
_UNEXPECTED = "the database refuses the request: see what it says"


def place(url: URL) -> str:
    """Return where the ledger is, without user and password."""
    if url.get_backend_name() == "sqlite":
        return url.database or "memory"
    return f"{url.host or 'localhost'}:{url.port or 5432}/{url.database or ''}"


@contextmanager
def understood(url: URL) -> Iterator[None]:
    """Turn whatever the database or its driver raises into :class:`LedgerError`.

    Args:
        url: of the ledger; only host, port and database are named in the error.
    """
    try:
        yield
    except PoolTimeout:
        raise LedgerError(f"the ledger at {place(url)} can't be used: all its connections are busy") from None
    except (SQLAlchemyError, sqlite3.Error, OSError, OverflowError) as error:
        raise _explain(error, url) from None


def _explain(error: Exception, url: URL) -> LedgerError:
    complaint = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    first_line = redact(complaint.strip().split("\n", 1)[0])
    otherwise = _UNREACHABLE if isinstance(error, (OperationalError, OSError)) and not _refused(error) else _UNEXPECTED
    advice = next((advice for words, advice in _ADVICE if words in complaint.lower()), otherwise)
    if advice is _HANGS and url.get_backend_name() == "sqlite":
        advice = advice.replace(_OTHER, holder(url.database or "") or _OTHER)
    if url.password and str(url.password) in first_line:
        first_line = ""
    return LedgerError(f"the ledger at {place(url)} can't be used: {advice}; nothing is sent", excerpt=first_line)


def _refused(error: Exception) -> bool:
    """Whether a PostgreSQL server has refused what was asked, although its driver files that under the operational."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(original, "sqlstate", "") or "").startswith(_ANSWERS)
