"""A stand-in of a system that imports files from a folder: a process with a SQLite file, which writes answers.

It reads CSV, Excel, XML and JSON, and answers in the format of the file. It takes the same record twice, so that a
double shows. A file it takes once, as importers do: what it has imported is kept with the file's name in one
transaction, and after a kill the answer is written again.

    python -m sandbox.importer --root FOLDER --database FILE [--lose 0.2] [--refuse WORD] [--seed 1]
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

from sandbox.record_files import can_read, read_records, write_records

ID, STATUS, REASON = "SAMPLE_NUMBER", "RESULT", "MESSAGE"


class Importer:
    """Imports the files of one folder.

    Args:
        root: has the folders ``import``, ``answers`` and ``archive``.
        database: where imported rows are kept.
        lose: the share of files whose answer is never written.
        refuse: a word; rows that have it in a cell are refused.
        seed: of the choice which answers are lost.
    """

    def __init__(self, root: Path, database: Path, *, lose: float = 0.0, refuse: str = "", seed: int = 1) -> None:
        self.root, self.lose, self.refuse = root, lose, refuse
        self._chance = random.Random(seed)  # noqa: S311 - a test's dice
        for name in ("import", "answers", "archive"):
            (root / name).mkdir(parents=True, exist_ok=True)
        self._base = sqlite3.connect(database, isolation_level=None)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("CREATE TABLE IF NOT EXISTS file (name TEXT PRIMARY KEY, answered INTEGER, answer TEXT)")
        self._base.execute("CREATE TABLE IF NOT EXISTS imported (id INTEGER PRIMARY KEY, file TEXT, record TEXT)")

    def close(self) -> None:
        """Close the database."""
        self._base.close()

    def look(self) -> int:
        """Import what lies there, in the order of the names; return how many files that were."""
        paths = sorted(path for path in (self.root / "import").iterdir() if can_read(path))
        for path in paths:
            self._take(path)
        return len(paths)

    def _take(self, path: Path) -> None:
        kept = self._base.execute("SELECT answered, answer FROM file WHERE name = ?", [path.name]).fetchone()
        answered, answer = kept or self._keep(path)
        if answered:
            self._answer(path.name, json.loads(answer))
        path.rename(self.root / "archive" / path.name)

    def _keep(self, path: Path) -> tuple[int, str]:
        rows = read_records(path)
        self._base.execute("BEGIN IMMEDIATE")
        answers = [self._import(path.name, row) for row in rows]
        kept = (0 if self._chance.random() < self.lose else 1, json.dumps(answers))
        self._base.execute("INSERT INTO file VALUES (?, ?, ?)", [path.name, *kept])
        self._base.execute("COMMIT")
        return kept

    def _import(self, file: str, row: dict[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in row.items() if not isinstance(value, list)}
        if self.refuse and self.refuse in row.values():
            return {**shown, STATUS: "REFUSED", REASON: f"{self.refuse} isn't known here"}
        added = self._base.execute("INSERT INTO imported (file, record) VALUES (?, ?)", [file, json.dumps(row)])
        return {**shown, ID: row.get(ID) or str(added.lastrowid), STATUS: "IMPORTED", REASON: ""}

    def answer_lost(self) -> int:
        """Write the answers that were lost, as a person has them written again; return how many those are."""
        lost = self._base.execute("SELECT name, answer FROM file WHERE answered = 0").fetchall()
        for name, answer in lost:
            self._answer(name, json.loads(answer))
            self._base.execute("UPDATE file SET answered = 1 WHERE name = ?", [name])
        return len(lost)

    def _answer(self, file: str, rows: list[dict[str, Any]]) -> None:
        stem, _, ending = file.rpartition(".")
        beside = self.root / "answers" / f".{file}"
        write_records(beside, rows)
        beside.rename(self.root / "answers" / f"{stem}.answer.{ending}")


def main() -> None:
    """Look into the folder until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--database", type=Path, required=True)
    parser.add_argument("--lose", type=float, default=0.0)
    parser.add_argument("--refuse", default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=0.1)
    asked = parser.parse_args()
    importer = Importer(asked.root, asked.database, lose=asked.lose, refuse=asked.refuse, seed=asked.seed)
    while True:
        importer.look()
        time.sleep(asked.every)


if __name__ == "__main__":
    main()
