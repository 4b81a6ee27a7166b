"""A LIMS that imports files from a folder into a database of its own; the answers to some of them are lost at first."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sandbox
from sandbox.importer import Importer
from tests.integration.every_method.content import Content, ResultSet, Sample, Value
from tests.integration.every_method.lims import TOGETHER, Lims, written_contract
from tests.integration.every_method.sender import AtWrite

NOTED = {
    "sample": (AtWrite("record", "create_sample", done=True),),
    "result": (AtWrite("record", "upload_results", done=True),),
}
"""The file is noted in the ledger, and never renamed into the folder of the LIMS."""
LINE = ("NAME", "FORMATTED_RESULT", "UNITS", "UNCERTAINTY", "VERDICT")


@contextmanager
def by_files(form: str, folder: Path, _: sandbox.Lab) -> Iterator[Lims]:
    """Give the importer, and the contract of LabWare with another format than CSV where that is wanted."""
    store, base = folder / "store", folder / "lims.sqlite"
    store.mkdir()
    lost: list[int] = []

    def in_small_files(operations: dict[str, Any]) -> None:
        for operation in (each for each in operations.values() if "files" in each):
            files = operation["files"]
            answers = {**files["answers"], "name": f"{{stem}}.answer.{form}", "quiet": 0.02}
            name = files["name"].replace(".csv", f".{form}")
            files.update(format=form, name=name, size=TOGETHER, wait=0.5, answers=answers)

    def answer_late() -> None:
        with closing(Importer(store, base)) as importer:
            lost.append(importer.answer_lost())

    section = {
        "auth_type": "none",
        "contract": written_contract(folder, "lims_labware", in_small_files),
        "options": {"file_store": str(store)},
    }
    with _importing(store, base):
        yield Lims(section, lambda: _imported(base), lambda: sum(lost), answer_late, NOTED)


@contextmanager
def _importing(store: Path, base: Path) -> Iterator[None]:
    ended, ready = threading.Event(), threading.Event()

    def work() -> None:
        with closing(Importer(store, base, lose=0.3)) as importer:
            ready.set()
            while not ended.wait(0.02):
                importer.look()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _imported(base: Path) -> Content:
    with closing(sqlite3.connect(base)) as opened:
        rows = opened.execute("SELECT id, file, record FROM imported ORDER BY id").fetchall()
    records = [(number, file, json.loads(record)) for number, file, record in rows]
    samples = {str(number): row for number, file, row in records if file.startswith("pv-sample")}
    return Content.of(
        (Sample(row["PROJECT"], row["TEXT_ID"], row["CUSTOMER"], row["MODEL"]) for row in samples.values()),
        _results(records, {number: row["TEXT_ID"] for number, row in samples.items()}),
    )


def _results(records: list[tuple[int, str, Any]], serials: dict[str, str]) -> Iterator[ResultSet]:
    """Give the result sets: of a table, the rows of one execution in one file; else one record each."""
    sets: dict[tuple[Any, ...], list[Value]] = defaultdict(list)
    for number, file, row in records:
        if file.startswith("pv-result"):
            nested = "RESULTS" in row
            about = tuple(row[name] for name in ("EXECUTION", "REVISION", "ANALYSIS", "COMPLETED_ON", "OPERATOR"))
            values = sets[(file, number if nested else 0, serials[row["SAMPLE_NUMBER"]], *about)]
            values += [Value.of(*(each.get(name) for name in LINE)) for each in (row["RESULTS"] if nested else [row])]
    for (_, _, *about), values in sets.items():
        yield ResultSet.of(*about, values)
