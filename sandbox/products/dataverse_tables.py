"""The rows of a Dataverse in SQLite, and which columns each table takes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

Row = dict[str, Any]
TEXT, WHOLE, NUMBER = (str,), (int,), (int, float)
TASK: Mapping[str, tuple[type, ...]] = {
    "msdyn_subject": TEXT, "msdyn_description": TEXT, "msdyn_effort": NUMBER, "msdyn_progress": NUMBER,
    "msdyn_outlinelevel": WHOLE, "pv_key": TEXT, "pv_status": TEXT, "pv_note": TEXT, "pv_progress": NUMBER,
}  # fmt: skip
ENTRY: Mapping[str, tuple[type, ...]] = {
    "msdyn_date": TEXT, "msdyn_duration": WHOLE, "msdyn_description": TEXT, "pv_key": TEXT, "pv_resource": TEXT,
}  # fmt: skip
# Links have the case of their names in the schema; the columns that show them have small letters.
LINKS = {
    "msdyn_project": "msdyn_projects",
    "msdyn_projectbucket": "msdyn_projectbuckets",
    "msdyn_parenttask": "msdyn_projecttasks",
    "msdyn_projectTask": "msdyn_projecttasks",
}
TASK_LINKS = ("msdyn_project", "msdyn_projectbucket", "msdyn_parenttask")
ENTRY_LINKS = ("msdyn_project", "msdyn_projectTask")
BIND = "@odata.bind"


class WrongError(Exception):
    """A row that Dataverse refuses.

    Args:
        message: in its words, more or less.
        absent: whether something that it names isn't there.
    """

    def __init__(self, message: str, *, absent: bool = False) -> None:
        self.absent = absent
        super().__init__(message)


class Tables:
    """All rows.

    Args:
        folder: for the database.
    """

    def __init__(self, folder: Path) -> None:
        self._database = sqlite3.connect(folder / "dataverse.sqlite", isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS row (number INTEGER PRIMARY KEY, name TEXT, guid TEXT, body TEXT,"
            " UNIQUE (name, guid))"
        )

    def put(self, name: str, guid: str, row: Mapping[str, Any]) -> None:
        """Make a row, or put another content in its place."""
        statement = (
            "INSERT INTO row (name, guid, body) VALUES (?, ?, ?) ON CONFLICT (name, guid) DO UPDATE SET body = ?"
        )
        body = json.dumps(dict(row))
        self._database.execute(statement, (name, guid, body, body))

    def get(self, name: str, guid: str) -> Row | None:
        """Return a row; ``None`` where there is none."""
        row = self._database.execute("SELECT body FROM row WHERE name = ? AND guid = ?", (name, guid)).fetchone()
        return None if row is None else json.loads(row[0])

    def all(self, name: str) -> list[Row]:
        """Return the rows of a table, the oldest first."""
        rows = self._database.execute("SELECT body FROM row WHERE name = ? ORDER BY number", (name,))
        return [json.loads(body) for (body,) in rows]

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def checked(self, given: Mapping[str, Any], columns: Mapping[str, tuple[type, ...]], links: tuple[str, ...]) -> Row:
        """Return the columns of a row as they are kept.

        Raises:
            WrongError: a column isn't there or has another type, or a link leads nowhere.
        """
        kept: Row = {}
        for name, value in given.items():
            link = name.removesuffix(BIND)
            if name.endswith(BIND) and link in links:
                kept[f"_{link.lower()}_value"] = self._linked(link, value)
            elif name not in columns:
                raise WrongError(f"Invalid property '{name}' was found in entity")
            elif isinstance(value, bool) or not isinstance(value, columns[name]):
                raise WrongError(f"Cannot convert the literal '{value}' of '{name}' to the expected type")
            else:
                kept[name] = value
        return kept

    def _linked(self, link: str, value: Any) -> str:
        table, _, guid = str(value).lstrip("/").rstrip(")").partition("(")
        if table != LINKS[link]:
            raise WrongError(f"'{value}' is no {LINKS[link]}")
        if self.get(table, guid) is None:
            raise WrongError(f"{table} With Id = {guid} Does Not Exist", absent=True)
        return str(UUID(guid))
