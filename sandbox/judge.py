"""Reads the systems' own databases, so that what happened is judged by what is there."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

SAMPLE = "'LIM-' || printf('%06d', {column})"


class Judge:
    """The databases of a sandbox, read only.

    Args:
        framework: the framework's SQLite file.
        lims: the LIMS's SQLite file.
    """

    def __init__(self, framework: Path, lims: Path) -> None:
        self.framework_database = framework
        self.lims_database = lims

    def lims_rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """Ask the LIMS's database."""
        return _rows(self.lims_database, sql, parameters)

    def framework_rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """Ask the framework's database."""
        return _rows(self.framework_database, sql, parameters)

    def samples(self, project_id: str | None = None) -> list[dict[str, Any]]:
        """Return the LIMS's samples, oldest first."""
        sql = f"SELECT {SAMPLE.format(column='number')} AS id, * FROM samples WHERE ? IS NULL OR project_id = ? ORDER BY number"  # noqa: S608
        rows = self.lims_rows(sql, project_id, project_id)
        return [{**row, "metadata": json.loads(row["metadata"])} for row in rows]

    def results(self) -> list[dict[str, Any]]:
        """Return the LIMS's result sets, oldest first, with the business key of their samples."""
        sql = (
            f"SELECT results.*, {SAMPLE.format(column='sample')} AS sample_id, samples.external_id AS serial, samples.project_id"  # noqa: S608
            " FROM results JOIN samples ON samples.number = sample ORDER BY results.number"
        )
        rows = self.lims_rows(sql)
        return [{**row, **json.loads(row.pop("body"))} for row in rows]

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

    def statuses(self) -> dict[tuple[str, str], int]:
        """Return how many samples there are by project and status."""
        sql = "SELECT project_id, status, count(*) AS number FROM samples GROUP BY 1, 2"
        return {(row["project_id"], row["status"]): row["number"] for row in self.lims_rows(sql)}

    def service_requests(self) -> list[dict[str, Any]]:
        """Return the framework's service requests."""
        sql = "SELECT id, sr_number, status, module, testing FROM service_requests WHERE gone = 0 ORDER BY id"
        rows = self.framework_rows(sql)
        return [{**row, "module": json.loads(row["module"]), "testing": json.loads(row["testing"])} for row in rows]

    def executions(self) -> list[dict[str, Any]]:
        """Return the framework's executions without their results."""
        sql = "SELECT execution_id, sr_id, protocol_id, module_id, status, qc_status, completed_at FROM executions ORDER BY 1"
        return self.framework_rows(sql)

    def summary(self) -> list[dict[str, Any]]:
        """Return one row a service request: what the framework wants and what the LIMS has."""
        samples = Counter(row["project_id"] for row in self.samples())
        distinct = Counter(project for project, _ in {(row["project_id"], row["external_id"]) for row in self.samples()})
        results = Counter(row["project_id"] for row in self.results())
        complete = Counter(row["sr_id"] for row in self.executions() if row["status"] == "COMPLETE")
        statuses = self.statuses()
        return [
            {
                "service_request": row["sr_number"],
                "framework_status": row["status"],
                "modules": len(set(row["module"].get("serial_numbers") or [])),
                "samples": samples[row["sr_number"]],
                "samples_twice": samples[row["sr_number"]] - distinct[row["sr_number"]],
                "executions_complete": complete[row["id"]],
                "result_sets": results[row["sr_number"]],
                "lims_status": ", ".join(
                    f"{number} {status}" for (project, status), number in sorted(statuses.items()) if project == row["sr_number"]
                ),
            }
            for row in self.service_requests()
        ]


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows as a text table with a heading."""
    if not rows:
        return "nothing there"
    cells = [[name.replace("_", " ") for name in rows[0]], *[[str(each) for each in row.values()] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _rows(path: Path, sql: str, parameters: tuple[object, ...]) -> list[dict[str, Any]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql, parameters)]
    finally:
        connection.close()
