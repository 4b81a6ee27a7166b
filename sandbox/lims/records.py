"""The LIMS's records: samples, result sets, statuses and certificates in its own SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from sandbox.lims.models import STATUSES, BulkResultIn, SampleChange, SampleIn, SampleKey, SampleStatusIn
from sandbox.problems import HttpProblem, not_found
from sandbox.store import Database, placeholders
from sandbox.times import now

SCHEMA = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
BUSINESS_KEYS: dict[str, tuple[str, ...]] = {
    "samples": ("project_id", "external_id"),
    "results": ("external_id", "revision"),
    "status_changes": ("sample", "status"),
    "certificates": ("sample",),
}
_SAMPLE = "number, external_id, project_id, sample_type, customer, metadata, status, created_at, updated_at"
_CHUNK = 400


def sample_id(number: int) -> str:
    """Return a sample's id."""
    return f"LIM-{number:06d}"


def result_id(number: int) -> str:
    """Return a result set's id."""
    return f"RES-{number:06d}"


def number_of(identity: str, prefix: str, label: str) -> int:
    """Return the row number of an id.

    Raises:
        HttpProblem: it is no id of that kind.
    """
    head, _, digits = identity.partition("-")
    if head != prefix or not digits.isdigit():
        raise not_found(label, identity)
    return int(digits)


def sample_view(row: sqlite3.Row) -> dict[str, Any]:
    """Return a sample as the API shows it."""
    view = {name: row[name] for name in row.keys() if name != "number"}  # noqa: SIM118
    return {"id": sample_id(row["number"]), **view, "metadata": orjson.loads(row["metadata"])}


def result_view(row: sqlite3.Row) -> dict[str, Any]:
    """Return a result set as the API shows it."""
    return {
        "id": result_id(row["number"]),
        "sample_id": sample_id(row["sample"]),
        "external_id": row["external_id"],
        "revision": row["revision"],
        **orjson.loads(row["body"]),
        "created_at": row["created_at"],
    }


class LimsRecords:
    """The LIMS's records.

    Args:
        store: its database.
    """

    def __init__(self, store: Database) -> None:
        self.store = store

    def create_samples(self, samples: Sequence[SampleIn]) -> list[int]:
        """Create samples and return their numbers. Two with the same business key are two samples."""
        at = now()
        first = self._next("samples")
        rows = []
        for number, sample in enumerate(samples, first):
            names = (sample.external_id, sample.project_id, sample.sample_type, sample.customer)
            rows.append((number, *names, orjson.dumps(sample.metadata), STATUSES[0], at, at))
        self.store.execute_many(f"INSERT INTO samples ({_SAMPLE}) VALUES ({placeholders(9)})", rows)  # noqa: S608
        return list(range(first, first + len(samples)))

    def sample(self, identity: str) -> sqlite3.Row:
        """Return a sample.

        Raises:
            HttpProblem: it doesn't exist.
        """
        number = number_of(identity, "LIM", "Sample")
        row = self.store.row(f"SELECT {_SAMPLE} FROM samples WHERE number = ?", (number,))  # noqa: S608
        if row is None:
            raise not_found("Sample", identity)
        return row

    def change_sample(self, identity: str, change: SampleChange) -> None:
        """Change fields of a sample."""
        number = self.sample(identity)["number"]
        values: dict[str, Any] = change.model_dump(exclude_none=True)
        if "metadata" in change.model_fields_set:
            values["metadata"] = orjson.dumps(values.get("metadata") or {})
        values["updated_at"] = now()
        assignments = ", ".join(f"{name} = ?" for name in values)
        self.store.execute(f"UPDATE samples SET {assignments} WHERE number = ?", (*values.values(), number))  # noqa: S608

    def visible(self) -> str | None:
        """Return the instant up to which look-ups see new records; ``None`` when they see all."""
        return None

    def find_samples(self, keys: Sequence[SampleKey]) -> list[sqlite3.Row]:
        """Return the samples with these business keys, oldest first."""
        rows: list[sqlite3.Row] = []
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            pairs = ",".join(["(?,?)"] * len(chunk))
            values: list[str] = []
            for key in chunk:
                values += (key.project_id, key.external_id)
            rows += self.store.rows(
                f"SELECT {_SAMPLE} FROM samples WHERE (project_id, external_id) IN (VALUES {pairs})",  # noqa: S608
                values,
            )
        return self._seen(rows)

    def create_results(self, results: Sequence[BulkResultIn]) -> list[int]:
        """Create result sets, whose samples must be checked already, and return their numbers."""
        at = now()
        first = self._next("results")
        self.store.execute_many(
            "INSERT INTO results (number, sample, external_id, revision, body, created_at) VALUES (?,?,?,?,?,?)",
            [
                (number, int(each.sample_id[4:]), each.external_id, each.revision, _result_body(each), at)
                for number, each in enumerate(results, first)
            ],
        )
        return list(range(first, first + len(results)))

    def check_result(self, result: BulkResultIn) -> None:
        """See that a result set's sample exists and that no revision before it is missing.

        Raises:
            HttpProblem: it can't be accepted.
        """
        number = number_of(result.sample_id, "LIM", "Sample")
        if self.store.row("SELECT 1 FROM samples WHERE number = ?", (number,)) is None:
            raise not_found("Sample", result.sample_id)
        if result.revision > 1 and not self._has_revision(result.external_id, result.revision - 1):
            message = (
                f"Revision {result.revision} of {result.external_id} needs revision {result.revision - 1} to exist"
            )
            raise HttpProblem(409, "REVISION_GAP", message)

    def _has_revision(self, external_id: str, revision: int) -> bool:
        sql = "SELECT 1 FROM results WHERE external_id = ? AND revision = ?"
        return self.store.row(sql, (external_id, revision)) is not None

    def find_results(self, external_ids: Sequence[str]) -> list[sqlite3.Row]:
        """Return the result sets of these executions, oldest first."""
        rows: list[sqlite3.Row] = []
        for start in range(0, len(external_ids), _CHUNK):
            chunk = external_ids[start : start + _CHUNK]
            rows += self.store.rows(
                f"SELECT * FROM results WHERE external_id IN ({placeholders(len(chunk))})",  # noqa: S608
                chunk,
            )
        return self._seen(rows)

    def _seen(self, rows: Sequence[sqlite3.Row]) -> list[sqlite3.Row]:
        until = self.visible()
        return sorted((r for r in rows if until is None or r["created_at"] <= until), key=lambda r: int(r["number"]))

    def move(self, identity: str, change: SampleStatusIn, principal: str) -> int:
        """Move a sample to its next status and return its number.

        Raises:
            HttpProblem: it doesn't exist, or the step is not allowed.
        """
        row = self.sample(identity)
        self.check_move(identity, row["status"], change.status)
        at = now()
        self.store.execute(
            "UPDATE samples SET status = ?, updated_at = ? WHERE number = ?", (change.status, at, row["number"])
        )
        self.store.execute(
            "INSERT INTO status_changes (sample, status, notes, principal, at) VALUES (?,?,?,?,?)",
            (row["number"], change.status, change.notes, principal, at),
        )
        return int(row["number"])

    def check_move(self, identity: str, status: str, wanted: str) -> None:
        """See that a sample may go from one status to another.

        Raises:
            HttpProblem: it may not.
        """
        before, after = STATUSES.index(status), STATUSES.index(wanted)
        if after <= before or (before == 0 and after > 1):
            raise HttpProblem(409, "INVALID_TRANSITION", f"Sample {identity} can't go from {status} to {wanted}")

    def _next(self, table: str) -> int:
        return int(self.store.value(f"SELECT coalesce(max(number), 0) + 1 FROM {table}"))  # noqa: S608


def _result_body(result: BulkResultIn) -> bytes:
    return orjson.dumps(result.model_dump(exclude={"sample_id", "external_id", "revision"}))
