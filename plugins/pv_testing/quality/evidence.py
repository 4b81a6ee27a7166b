"""The files that prove a finding: the list of its executions and its charts."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from pv_testing.core.cells import guarded
from pv_testing.quality.charts import CHARTS
from pv_testing.quality.finding import CapaFinding

EXECUTIONS = "executions.csv"
COLUMNS = (
    "execution_id",
    "sr_number",
    "module",
    "model",
    "protocol_id",
    "completed_at",
    "criteria",
    "equipment",
    "nc",
)


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """One file of a finding.

    Attributes:
        name: of the file.
        content_type: what it is.
        content: its bytes, always the same for the same finding.
    """

    name: str
    content_type: str
    content: bytes


def evidence(finding: CapaFinding) -> list[EvidenceFile]:
    """Return the files that are attached to the CAPA of a finding."""
    charts = [EvidenceFile(name, "image/png", draw(finding)) for name, draw in CHARTS.items()]
    return [EvidenceFile(EXECUTIONS, "text/csv", executions(finding)), *charts]


def executions(finding: CapaFinding) -> bytes:
    """Return the failed executions of a finding as CSV; no spreadsheet takes a cell for a formula."""
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow(COLUMNS)
    for row in finding.executions:
        writer.writerow([guarded(row[column]) for column in COLUMNS])
    return sink.getvalue().encode()
