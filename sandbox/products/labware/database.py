"""The database behind all four ways in. Its triggers are the LIMS's rules, so that no way gets past them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Row = dict[str, Any]
SAMPLE = ("PROJECT", "TEXT_ID", "SAMPLE_TYPE", "CUSTOMER", "MODEL", "POWER_RATING")
TEST = ("SAMPLE_NUMBER", "EXECUTION", "REVISION", "ANALYSIS", "COMPLETED_ON", "OPERATOR")
RESULT = ("NAME", "FORMATTED_RESULT", "UNITS", "UNCERTAINTY", "VERDICT")
NEEDED = {"SAMPLE": SAMPLE[:4], "TEST": TEST, "RESULT": ("NAME", "FORMATTED_RESULT", "VERDICT")}

SCHEMA = """
CREATE TABLE IF NOT EXISTS SAMPLE (
  SAMPLE_NUMBER INTEGER PRIMARY KEY AUTOINCREMENT,
  PROJECT TEXT NOT NULL CHECK (length(PROJECT) BETWEEN 1 AND 40),
  TEXT_ID TEXT NOT NULL CHECK (length(TEXT_ID) BETWEEN 1 AND 40),
  SAMPLE_TYPE TEXT NOT NULL CHECK (length(SAMPLE_TYPE) <= 40),
  CUSTOMER TEXT NOT NULL CHECK (length(CUSTOMER) BETWEEN 1 AND 80),
  MODEL TEXT CHECK (length(MODEL) <= 80),
  POWER_RATING,
  REVISION INTEGER NOT NULL DEFAULT 1,
  STATUS TEXT NOT NULL DEFAULT 'U' CHECK (STATUS IN ('U', 'I', 'P', 'C', 'A', 'R', 'X')));
CREATE TABLE IF NOT EXISTS TEST (
  TEST_NUMBER INTEGER PRIMARY KEY AUTOINCREMENT,
  SAMPLE_NUMBER INTEGER NOT NULL REFERENCES SAMPLE (SAMPLE_NUMBER),
  EXECUTION TEXT NOT NULL CHECK (length(EXECUTION) BETWEEN 1 AND 40),
  REVISION INTEGER NOT NULL CHECK (REVISION > 0),
  ANALYSIS TEXT NOT NULL CHECK (length(ANALYSIS) <= 40),
  COMPLETED_ON TEXT NOT NULL,
  OPERATOR TEXT NOT NULL,
  STATUS TEXT NOT NULL DEFAULT 'C' CHECK (STATUS = 'C'));
CREATE TABLE IF NOT EXISTS RESULT (
  RESULT_NUMBER INTEGER PRIMARY KEY AUTOINCREMENT,
  TEST_NUMBER INTEGER NOT NULL REFERENCES TEST (TEST_NUMBER),
  LINE INTEGER,
  NAME TEXT NOT NULL CHECK (length(NAME) BETWEEN 1 AND 40),
  FORMATTED_RESULT TEXT NOT NULL CHECK (length(FORMATTED_RESULT) BETWEEN 1 AND 80),
  UNITS TEXT CHECK (length(UNITS) <= 20),
  UNCERTAINTY TEXT,
  VERDICT TEXT NOT NULL CHECK (VERDICT IN ('P', 'F', 'C', 'U')),
  ENTRY_DATE TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')));
CREATE TRIGGER IF NOT EXISTS SAMPLE_BEGINS BEFORE INSERT ON SAMPLE WHEN NEW.STATUS <> 'U' BEGIN
  SELECT RAISE(ABORT, 'INVALID_TRANSITION: a sample begins as U');
END;
CREATE TRIGGER IF NOT EXISTS SAMPLE_MOVES BEFORE UPDATE OF STATUS ON SAMPLE
WHEN OLD.STATUS <> NEW.STATUS AND (
  OLD.STATUS IN ('R', 'X', 'A') OR (OLD.STATUS = 'U' AND NEW.STATUS NOT IN ('I', 'X'))
  OR (NEW.STATUS IN ('U', 'I', 'P', 'C', 'A') AND instr('UIPCA', NEW.STATUS) < instr('UIPCA', OLD.STATUS))
) BEGIN
  SELECT RAISE(ABORT, 'INVALID_TRANSITION: a sample does not go that way');
END;
"""


class RefusedError(Exception):
    """The LIMS refuses; ``code`` and ``message`` say why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class LabWareDatabase:
    """The LIMS's own database, a SQLite file.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as link:
            link.executescript(f"PRAGMA journal_mode = WAL;{SCHEMA}")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        link = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        link.row_factory = sqlite3.Row
        link.execute("PRAGMA foreign_keys = ON")
        try:
            yield link
        finally:
            link.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Give a transaction.

        Raises:
            RefusedError: a rule is broken; nothing is changed.
        """
        with self._open() as link:
            link.execute("BEGIN IMMEDIATE")
            try:
                yield link
                link.execute("COMMIT")
            except sqlite3.IntegrityError as error:
                link.execute("ROLLBACK")
                raise refusal(str(error)) from None
            except BaseException:
                link.execute("ROLLBACK")
                raise

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return rows."""
        with self._open() as link:
            return [dict(row) for row in link.execute(sql, values)]

    def select(self, table: str, criteria: Mapping[str, Any] | None = None) -> list[Row]:
        """Return the rows of a table that have some values, in the order of their numbers."""
        given = criteria or {}
        where = " AND ".join(f"{name} = ?" for name in given) or "1"
        return self.read(f"SELECT * FROM {table} WHERE {where} ORDER BY 1", list(given.values()))  # noqa: S608

    def receive(self) -> None:
        """Receive all samples, as people do."""
        with self.change() as link:
            link.execute("UPDATE SAMPLE SET STATUS = 'I' WHERE STATUS = 'U'")


def refusal(text: str) -> RefusedError:
    """Return what the LIMS says to a broken rule of its database."""
    if text.startswith("INVALID_TRANSITION"):
        return RefusedError("INVALID_TRANSITION", text.partition(": ")[2])
    if text.startswith("FOREIGN KEY"):
        return RefusedError("UNKNOWN_SAMPLE", "there is no such sample")
    return RefusedError("VALIDATION", text)


def checked(table: str, row: Mapping[str, Any], fields: Sequence[str]) -> Row:
    """Return the fields of a row.

    Raises:
        RefusedError: one is missing, or the table has no such field.
    """
    unknown = sorted(set(row) - set(fields))
    missing = [name for name in NEEDED[table] if row.get(name) in (None, "")]
    if unknown or missing:
        raise RefusedError("VALIDATION", f"{table}: unknown {unknown}, missing {missing}")
    return {name: None if row.get(name) == "" else row.get(name) for name in fields}


def add(link: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int:
    """Insert a row and return its number."""
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    added = link.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))  # noqa: S608
    return int(added.lastrowid or 0)


def add_sample(link: sqlite3.Connection, row: Mapping[str, Any], revision: int = 1) -> int:
    """Log a sample in as unreceived and return its number."""
    return add(link, "SAMPLE", {**checked("SAMPLE", row, SAMPLE), "REVISION": revision})


def change_sample(link: sqlite3.Connection, number: int, row: Mapping[str, Any], revision: int = 1) -> None:
    """Change some fields of a sample.

    Raises:
        RefusedError: there is none, or a field isn't one of a sample's.
    """
    known = one_sample(link, number)
    fields = checked("SAMPLE", {**{name: known[name] for name in SAMPLE}, **row}, SAMPLE)
    changes = ", ".join(f"{name} = ?" for name in fields)
    link.execute(
        f"UPDATE SAMPLE SET {changes}, REVISION = ? WHERE SAMPLE_NUMBER = ?",  # noqa: S608
        [*fields.values(), revision, number],
    )


def set_status(link: sqlite3.Connection, number: int, letter: str) -> None:
    """Set the letter of a sample."""
    one_sample(link, number)
    link.execute("UPDATE SAMPLE SET STATUS = ? WHERE SAMPLE_NUMBER = ?", [letter, number])


def add_test(link: sqlite3.Connection, row: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> int:
    """Enter a test with its results and return its number."""
    if not results:
        raise RefusedError("VALIDATION", "a test without results")
    number = add(link, "TEST", checked("TEST", row, TEST))
    for line, result in enumerate(results, start=1):
        add(link, "RESULT", {"TEST_NUMBER": number, "LINE": line, **checked("RESULT", result, RESULT)})
    return number


def one_sample(link: sqlite3.Connection, number: int) -> Row:
    """Return a sample.

    Raises:
        RefusedError: there is none.
    """
    row = link.execute("SELECT * FROM SAMPLE WHERE SAMPLE_NUMBER = ?", [number]).fetchone()
    if row is None:
        raise RefusedError("UNKNOWN_SAMPLE", f"there is no sample {number}")
    return dict(row)
