"""LabWare by its import folder: an import client that looks every so often, and a report that writes the lists.

It takes each file once, also after a kill: what it has imported is kept with the file's name in one transaction.
"""

from __future__ import annotations

import csv
import io
import json
import random
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.products.labware import database as lims
from sandbox.products.labware.database import LabWareDatabase, RefusedError, Row
from sandbox.products.labware.stand_in import LabWareStandIn

TRAPS = ("half_written", "late_list")
"""Answers that appear half written first; lists that are written less often than files are imported."""
ID, WORD, REASON = "SAMPLE_NUMBER", "RESULT", "MESSAGE"
LATE = 10
LISTS = {
    "samples.csv": ("SAMPLE", ("SAMPLE_NUMBER", *lims.SAMPLE, "REVISION", "STATUS")),
    "tests.csv": ("TEST", ("TEST_NUMBER", *lims.TEST, "STATUS")),
}
Work = Callable[[sqlite3.Connection, Sequence[Row]], Row]
_FILES = "CREATE TABLE IF NOT EXISTS IMPORTED_FILE (NAME TEXT PRIMARY KEY, ANSWERED INTEGER, ANSWER TEXT)"


class ImportClient:
    """Imports the files of one folder.

    Args:
        root: has the folders ``import``, ``answers``, ``lists`` and ``archive``.
        database: the LIMS's.
        traps: see :data:`TRAPS`.
    """

    def __init__(self, root: Path, database: LabWareDatabase, traps: Collection[str] = ()) -> None:
        self.root, self.database, self.traps = root, database, traps
        self.lose, self.dice = 0.0, random.Random(1)  # noqa: S311 - a test's dice
        self._looks = 0
        for name in ("import", "answers", "lists", "archive"):
            (root / name).mkdir(parents=True, exist_ok=True)
        with database.change() as link:
            link.execute(_FILES)
        self.write_lists()

    def look(self) -> int:
        """Import what lies there, in the order of the names; return how many files that were."""
        paths = sorted(path for path in (self.root / "import").iterdir() if path.suffix == ".csv")
        for path in paths:
            self._take(path)
        self._looks += 1
        if "late_list" not in self.traps or self._looks % LATE == 0:
            self.write_lists()
        return len(paths)

    def write_lists(self) -> None:
        """Write the lists of what is there, each whole."""
        for name, (table, columns) in LISTS.items():
            rows = [{column: row[column] for column in columns} for row in self.database.select(table)]
            _put(self.root / "lists", name, _csv(columns, rows))

    def _take(self, path: Path) -> None:
        known = self.database.read("SELECT ANSWERED, ANSWER FROM IMPORTED_FILE WHERE NAME = ?", [path.name])
        answered, answer = (known[0]["ANSWERED"], known[0]["ANSWER"]) if known else self._keep(path)
        if answered:
            self._answer(path.stem, json.loads(answer))
        path.rename(self.root / "archive" / path.name)

    def _keep(self, path: Path) -> tuple[bool, str]:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        with self.database.change() as link:
            answer = json.dumps(self._import(link, path.name, rows))
            answered = self.dice.random() >= self.lose
            link.execute("INSERT INTO IMPORTED_FILE VALUES (?, ?, ?)", [path.name, answered, answer])
        return answered, answer

    def _import(self, link: sqlite3.Connection, name: str, rows: Sequence[Row]) -> list[Row]:
        if name.startswith("pv-sample-"):
            return [_answered(link, [row], _sample) for row in rows]
        if name.startswith("pv-status-"):
            return [_answered(link, [row], _status) for row in rows]
        tests: dict[str, list[Row]] = {}
        for row in rows:
            tests.setdefault(row["EXECUTION"], []).append(row)
        return [_answered(link, lines, _test) for lines in tests.values()]

    def _answer(self, stem: str, rows: Sequence[Row]) -> None:
        content = _csv(list(dict.fromkeys(name for row in rows for name in row)), rows)
        name = f"{stem}.answer.csv"
        if "half_written" in self.traps:
            (self.root / "answers" / name).write_text(content[: len(content) // 2], encoding="utf-8")
        _put(self.root / "answers", name, content)


def _answered(link: sqlite3.Connection, rows: Sequence[Row], work: Work) -> Row:
    """Import the rows of one record, or none of them, and return its row of the answer."""
    link.execute("SAVEPOINT RECORD")
    try:
        answer = {**_key(rows[0]), **work(link, rows), WORD: "IMPORTED", REASON: ""}
    except (RefusedError, sqlite3.IntegrityError) as error:
        refused = error if isinstance(error, RefusedError) else lims.refusal(str(error))
        link.execute("ROLLBACK TO RECORD")
        answer = {**_key(rows[0]), WORD: "REFUSED", REASON: f"{refused.code}: {refused.message}"}
    link.execute("RELEASE RECORD")
    return answer


def _key(row: Row) -> Row:
    return {name: row[name] for name in ("PROJECT", "TEXT_ID", "EXECUTION", "SAMPLE_NUMBER") if name in row}


def _sample(link: sqlite3.Connection, rows: Sequence[Row]) -> Row:
    """Change the sample with a known key from revision 2 on, and log another one in else."""
    (row,) = rows
    fields, revision = {name: value for name, value in row.items() if name != "REVISION"}, int(row["REVISION"])
    known = link.execute(
        "SELECT SAMPLE_NUMBER FROM SAMPLE WHERE PROJECT = ? AND TEXT_ID = ?", [row["PROJECT"], row["TEXT_ID"]]
    ).fetchone()
    if revision == 1 or known is None:
        return {"SAMPLE_NUMBER": lims.add_sample(link, fields, revision)}
    lims.change_sample(link, known[0], fields, revision)
    return {"SAMPLE_NUMBER": known[0]}


def _status(link: sqlite3.Connection, rows: Sequence[Row]) -> Row:
    (row,) = rows
    lims.set_status(link, int(row["SAMPLE_NUMBER"]), row["STATUS"])
    return {}


def _test(link: sqlite3.Connection, rows: Sequence[Row]) -> Row:
    head = {name: rows[0].get(name) for name in lims.TEST}
    results = [{name: row[name] for name in row if name not in lims.TEST} for row in rows]
    return {"TEST_NUMBER": lims.add_test(link, head, results)}


def _csv(names: Sequence[str], rows: Sequence[Row]) -> str:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _put(folder: Path, name: str, content: str) -> None:
    """Write a file beside its place and rename it; the same content isn't written again."""
    place, beside = folder / name, folder / f".{name}"
    if place.exists() and place.read_bytes().decode("utf-8", "replace") == content:
        return
    beside.write_bytes(content.encode("utf-8"))
    beside.rename(place)


class FilesStandIn(LabWareStandIn):
    """The folder as the way in.

    Args:
        client: imports what is dropped.
        section: of ``config/integrations.yaml``.
    """

    def __init__(self, client: ImportClient, section: dict[str, Any]) -> None:
        super().__init__(client.database, section)
        self._client = client

    def lose(self, share: float, seed: int) -> None:
        """Write no answer to this share of the files from now on."""
        self._client.lose, self._client.dice = share, random.Random(seed)  # noqa: S311 - a test's dice


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0, every: float = 0.05) -> Iterator[FilesStandIn]:
    """Import what is dropped into a folder, in a thread.

    Args:
        folder: for the database and the folders.
        traps: see :data:`TRAPS`.
        port: of no meaning here.
        every: seconds between two looks; LabWare's import client looks every 15 seconds or so.
    """
    del port
    root = folder / "exchange"
    client = ImportClient(root, LabWareDatabase(folder / "labware.sqlite"), traps)
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(every):
            client.look()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    section: dict[str, Any] = {"contract": "lims_labware", "auth_type": "none", "options": {"file_store": str(root)}}
    try:
        yield FilesStandIn(client, section)
    finally:
        ended.set()
        thread.join()
