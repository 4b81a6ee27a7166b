"""What the scripts of a STARLIMS site do: samples and results in SQLite, strict about fields and states.

It takes doubles, as STARLIMS keeps no key of ours unique. It shares no code with the product.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from typing import Any

STATUSES = ("Logged", "Received", "In Progress", "Completed", "Approved")
SAMPLE = {"ExternalId", "ProjectId", "SampleType", "Customer"}
SAMPLE_TOO = {"Manufacturer", "Model"}
SAMPLE_TYPES = {"PV Module", "Solar Cell"}
RESULT = {"SampleId", "ExternalId", "TestCode", "TestName", "CompletedAt", "Analyst", "Analytes", "Revision"}
ANALYTE = {"Analyte", "Final", "Verdict"}
ANALYTE_TOO = {"Units", "Uncertainty"}
VERDICTS = {"Pass", "Fail", "Conditional", "Review"}
PAGE = 100
Row = dict[str, Any]
Names = AbstractSet[str]


class RefusedError(Exception):
    """A script refuses; the text is its ``ErrorMsg``."""


class Laboratory:
    """The samples and results of a site.

    Args:
        folder: where its database is.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._base = sqlite3.connect(folder / "starlims.sqlite", check_same_thread=False, isolation_level=None)
        self._base.execute("PRAGMA journal_mode = WAL")
        for table in ("samples", "results"):
            self._base.execute(f"CREATE TABLE IF NOT EXISTS {table} (id INTEGER PRIMARY KEY, content TEXT NOT NULL)")
        self.scripts: Mapping[str, Callable[[Row], Any]] = {
            "CreateSample": self._create_sample,
            "UpdateSample": self._update_sample,
            "FindSamples": self._find_samples,
            "ListSamples": self._list_samples,
            "GetSample": self._get_sample,
            "SetStatus": self._set_status,
            "SubmitResults": self._submit_results,
            "FindResults": self._find_results,
        }

    def close(self) -> None:
        """Close the database."""
        self._base.close()

    def run(self, script: str, given: Row) -> Row:
        """Run a script and return its answer, which says ``Success`` or not."""
        with self._lock:
            try:
                return {"Success": "True", **self.scripts[script](given)}
            except RefusedError as error:
                return {"Success": "False", "ErrorMsg": str(error)}

    def samples(self) -> list[Row]:
        """Return all samples."""
        return self._rows("samples", "SampleId")

    def results(self) -> list[Row]:
        """Return all result sets."""
        return self._rows("results", "ResultId")

    def receive(self) -> None:
        """Receive every sample that is logged."""
        with self._lock:
            for row in self.samples():
                if row["Status"] == STATUSES[0]:
                    self._write("samples", row.pop("SampleId"), {**row, "Status": STATUSES[1]})

    def _rows(self, table: str, name: str) -> list[Row]:
        rows = self._base.execute(f"SELECT id, content FROM {table} ORDER BY id")  # noqa: S608 - one of two tables
        prefix = table[0].upper()
        return [{**json.loads(content), name: f"{prefix}-{number:06}"} for number, content in rows]

    def _insert(self, table: str, content: Row) -> str:
        cursor = self._base.execute(f"INSERT INTO {table} (content) VALUES (?)", (json.dumps(content),))  # noqa: S608
        return f"{table[0].upper()}-{cursor.lastrowid:06}"

    def _write(self, table: str, number: str, content: Row) -> None:
        self._base.execute(
            f"UPDATE {table} SET content = ? WHERE id = ?",  # noqa: S608
            (json.dumps(content), int(number[2:])),
        )

    def _sample(self, number: Any) -> Row:
        rows = [row for row in self.samples() if row["SampleId"] == number]
        if not rows:
            raise RefusedError(f"NOT_FOUND: there is no sample {number}")
        return rows[0]

    def _create_sample(self, given: Row) -> Row:
        _check(given, SAMPLE, SAMPLE_TOO)
        if given["SampleType"] not in SAMPLE_TYPES:
            raise RefusedError(f"there is no sample type {given['SampleType']}")
        number = self._insert("samples", {**given, "Status": STATUSES[0]})
        return {"Result": {"SampleId": number}}

    def _update_sample(self, given: Row) -> Row:
        row = self._sample(given.pop("SampleId", None))
        _check(given, set(), SAMPLE | SAMPLE_TOO, null=SAMPLE_TOO)
        number = row.pop("SampleId")
        self._write("samples", number, {**row, **given})
        return {"Result": {"SampleId": number}}

    def _find_samples(self, given: Row) -> Row:
        keys = given.get("keys")
        if not isinstance(keys, list):
            raise RefusedError("keys must be a list")
        wanted = [(key["ProjectId"], key["ExternalId"]) for key in keys]
        return {"Result": [row for row in self.samples() if (row["ProjectId"], row["ExternalId"]) in wanted]}

    def _list_samples(self, given: Row) -> Row:
        fields = {"projectId": "ProjectId", "externalId": "ExternalId", "status": "Status"}
        unknown = given.keys() - fields.keys() - {"page", "limit"}
        if unknown:
            raise RefusedError(f"unknown parameters {sorted(unknown)}")
        wanted = {fields[name]: value for name, value in given.items() if name in fields}
        rows = [row for row in self.samples() if wanted.items() <= row.items()]
        size = int(given.get("limit", PAGE))
        start = size * (int(given.get("page", 1)) - 1)
        return {"Result": rows[start : start + size], "Total": len(rows)}

    def _get_sample(self, given: Row) -> Row:
        return {"Result": [self._sample(given.get("SampleId"))]}

    def _set_status(self, given: Row) -> Row:
        _check(given, {"SampleId", "Status"}, {"Comment"}, blank={"Comment"})
        row = self._sample(given["SampleId"])
        now, wanted = row["Status"], given["Status"]
        if wanted not in STATUSES:
            raise RefusedError(f"there is no status {wanted}")
        if STATUSES.index(wanted) <= STATUSES.index(now):
            raise RefusedError(f"INVALID_TRANSITION: {now} can't become {wanted}")
        self._write("samples", row.pop("SampleId"), {**row, "Status": wanted})
        return {"Result": {"SampleId": given["SampleId"]}}

    def _submit_results(self, given: Row) -> Row:
        _check(given, RESULT, set())
        self._sample(given["SampleId"])
        datetime.fromisoformat(given["CompletedAt"].replace("Z", "+00:00"))
        for each in given["Analytes"]:
            _check(each, ANALYTE, ANALYTE_TOO, blank={"Units"})
            if each["Verdict"] not in VERDICTS:
                raise RefusedError(f"there is no verdict {each['Verdict']}")
        return {"Result": {"ResultId": self._insert("results", given)}}

    def _find_results(self, given: Row) -> Row:
        wanted = given.get("keys") or [given.get("externalId")]
        sample = given.get("sampleId")
        rows = [row for row in self.results() if (row["SampleId"] == sample if sample else row["ExternalId"] in wanted)]
        return {"Result": rows, "Total": len(rows)}


class StandIn:
    """A running STARLIMS.

    Args:
        laboratory: what it holds.
        origin: its address without a path.
        section: the system's part of the configuration.
    """

    def __init__(self, laboratory: Laboratory, origin: str, section: dict[str, Any]) -> None:
        self._laboratory, self.origin, self.section = laboratory, origin, section

    def receive(self) -> None:
        """Receive all samples, as people do."""
        self._laboratory.receive()

    def rows(self, kind: str) -> list[Row]:
        """Return what STARLIMS holds: ``sample`` or ``result``."""
        keys = {row["SampleId"]: f"{row['ProjectId']}/{row['ExternalId']}" for row in self._laboratory.samples()}
        if kind == "sample":
            samples = self._laboratory.samples()
            return [{"key": keys[row["SampleId"]], "status": row["Status"], "id": row["SampleId"]} for row in samples]
        return [
            {
                "key": row["ExternalId"],
                "sample": keys[row["SampleId"]],
                "values": {each["Analyte"]: each["Final"] for each in row["Analytes"]},
            }
            for row in self._laboratory.results()
        ]


def _check(given: Row, needed: Names, may: Names, *, null: Names = frozenset(), blank: Names = frozenset()) -> None:
    """Refuse what a script doesn't know, what it misses, and values of other types."""
    unknown, missing = given.keys() - needed - may, needed - given.keys()
    if unknown or missing:
        raise RefusedError(f"unknown {sorted(unknown)}, missing {sorted(missing)}")
    kinds = {"Revision": int, "Analytes": list}
    for name, value in given.items():
        if value is None and name in null:
            continue
        if type(value) is not kinds.get(name, str) or (value == "" and name not in blank):
            raise RefusedError(f"{name} can't be {value!r}")
