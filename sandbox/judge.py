"""Reads the systems' own databases, so that a run is judged by its effects."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from sandbox.settings import Settings

_SAMPLES = "SELECT project_id, count(*) AS rows, count(DISTINCT external_id) AS keys FROM samples GROUP BY 1"
_RESULTS = (
    "SELECT project_id, count(*) AS rows, count(DISTINCT results.external_id || '/' || revision) AS keys"
    " FROM results JOIN samples ON samples.number = sample GROUP BY 1"
)
_COMPLETE = "SELECT sr_id, count(*) AS rows FROM executions WHERE status = 'COMPLETE' GROUP BY 1"


class Judge:
    """The databases of a sandbox, read only.

    Args:
        settings: where they are.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def rows(self, system: str, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """Ask a system's database."""
        return _rows(self.settings.database(system), sql, parameters)

    def lims_rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """Ask the LIMS's database."""
        return self.rows("lims", sql, *parameters)

    def framework_rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """Ask the framework's database."""
        return self.rows("framework", sql, *parameters)

    def samples(self, project_id: str | None = None) -> list[dict[str, Any]]:
        """Return the LIMS's samples, oldest first."""
        rows = self.lims_rows("SELECT * FROM samples WHERE ? IN ('', project_id) ORDER BY number", project_id or "")
        return [{"id": f"LIM-{row['number']:06d}", **row, "metadata": json.loads(row["metadata"])} for row in rows]

    def results(self) -> list[dict[str, Any]]:
        """Return the LIMS's result sets, oldest first, with the business key of their samples."""
        sql = (
            "SELECT results.*, samples.external_id AS serial, samples.project_id FROM results"
            " JOIN samples ON samples.number = sample ORDER BY results.number"
        )
        rows = self.lims_rows(sql)
        return [{"sample_id": f"LIM-{row['sample']:06d}", **row, **json.loads(row.pop("body"))} for row in rows]

    def duplicates(self) -> dict[str, list[dict[str, Any]]]:
        """Return the business keys that the LIMS holds more than once; empty lists when all is well."""
        return {
            "samples": self.lims_rows(
                "SELECT project_id, external_id, count(*) AS copies FROM samples GROUP BY 1, 2 HAVING copies > 1"
            ),
            "results": self.lims_rows(
                "SELECT external_id, revision, count(*) AS copies FROM results GROUP BY 1, 2 HAVING copies > 1"
            ),
        }

    def statuses(self) -> dict[str, dict[str, int]]:
        """Return for each project how many samples there are in each status."""
        counts: dict[str, dict[str, int]] = {}
        sql = "SELECT project_id, status, count(*) AS number FROM samples GROUP BY 1, 2 ORDER BY 2"
        for row in self.lims_rows(sql):
            counts.setdefault(row["project_id"], {})[row["status"]] = row["number"]
        return counts

    def service_requests(self) -> list[dict[str, Any]]:
        """Return the framework's service requests."""
        sql = "SELECT id, sr_number, status, module, testing FROM service_requests WHERE gone = 0 ORDER BY id"
        rows = self.framework_rows(sql)
        return [{**row, "module": json.loads(row["module"]), "testing": json.loads(row["testing"])} for row in rows]

    def executions(self) -> list[dict[str, Any]]:
        """Return the framework's executions without their results."""
        columns = "execution_id, sr_id, protocol_id, module_id, status, qc_status, completed_at"
        return self.framework_rows(f"SELECT {columns} FROM executions ORDER BY 1")  # noqa: S608

    def summary(self) -> list[dict[str, Any]]:
        """Return one row a service request: its orders in the framework beside its records in the LIMS."""
        samples, results, statuses = self._by_project(_SAMPLES), self._by_project(_RESULTS), self.statuses()
        complete = {row["sr_id"]: row["rows"] for row in self.framework_rows(_COMPLETE)}
        nothing = {"rows": 0, "keys": 0}
        rows = []
        for request in self.service_requests():
            number = request["sr_number"]
            sample, result = samples.get(number, nothing), results.get(number, nothing)
            rows.append(
                {
                    "service_request": number,
                    "framework_status": request["status"],
                    "modules": len(set(request["module"].get("serial_numbers") or [])),
                    "samples": sample["rows"],
                    "executions_complete": complete.get(request["id"], 0),
                    "result_sets": result["rows"],
                    "twice": sample["rows"] - sample["keys"] + result["rows"] - result["keys"],
                    "lims_status": ", ".join(f"{each} {status}" for status, each in statuses.get(number, {}).items()),
                }
            )
        return rows

    def _by_project(self, sql: str) -> dict[str, dict[str, Any]]:
        return {row["project_id"]: row for row in self.lims_rows(sql)}


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows as a text table with a heading."""
    if not rows:
        return "nothing there"
    heading = [name.replace("_", " ") for name in rows[0]]
    cells = [heading, *(list(map(str, row.values())) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for line in cells:
        padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        lines.append("  ".join(padded).rstrip())
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([lines[0], rule, *lines[1:]])


def _rows(path: Path, sql: str, parameters: tuple[object, ...]) -> list[dict[str, Any]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql, parameters)]
    finally:
        connection.close()
