"""The lineage of an exported CSV file, read off its header, its quantities and its size; of no value in it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from pv_testing.core.errors import ConfigError
from pv_testing.domain import datasets
from pv_testing.exporters.contents import CONTENTS
from pv_testing.lineage.columns import COMPUTED, DIRECT, IDENTITY, TRANSFORMATION, Column, ColumnSource
from pv_testing.lineage.flows import Flow
from pv_testing.lineage.origins import OTHERS, Origins, origins_of

_SR, _EX, _PR = datasets.SERVICE_REQUESTS, datasets.EXECUTIONS, datasets.PROTOCOLS
_MEASURED, _CRITERIA = f"{_EX}.measurements", f"{_EX}.criteria"
_POINT = ("series", "number", "quantity", "value", "unit", "timestamp")
_TEST: Origins = {"sr_number": f"{_SR}.sr_number", "protocol_name": f"{_PR}.name", OTHERS: _EX}

TABLES: Mapping[str, Origins] = {
    "measurement_data": {
        **_TEST,
        **{name: f"{_MEASURED}.{name}" for name in ("parameter", "value", "unit", "uncertainty")},
        "qc_status": (f"{_MEASURED}.qc_status", f"{_CRITERIA}.result", f"{_EX}.qc_status"),
    },
    "qc_data": {
        **_TEST,
        **{name: f"{_CRITERIA}.{name}" for name in ("parameter", "result", "expected", "tolerance", "measured")},
        "said": f"{_EX}.qc_status",
    },
    "execution_data": _TEST,
    "raw_data": {**_TEST, **dict.fromkeys(_POINT, f"{_EX}.curves")},
}
"""Where the columns of an exported table come from."""

MOST_QUANTITIES = 200


def export_flow(path: str | Path) -> Flow:
    """Return the lineage of a CSV file that :class:`~pv_testing.exporters.exporter.DataExporter` has written.

    Each quantity that the file has measurements of counts as a column of its own.

    Args:
        path: the file.

    Raises:
        ConfigError: its header is of no table that is exported (``NO_TABLE``).
    """
    path = Path(path)
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream)
        table = _table(tuple(rows.fieldnames or ()), path)
        written, quantities = 0, dict[str, None]()
        for row in rows:
            written += 1
            if table == "measurement_data" and len(quantities) < MOST_QUANTITIES:
                quantities.setdefault(row["parameter"])
    columns = (*_columns(table), *_quantities(quantities))
    return Flow(f"{datasets.EXPORTS}/{table}", columns, written=written, in_effect=written, size=path.stat().st_size)


def _table(header: tuple[str, ...], path: Path) -> str:
    for table in TABLES:
        if tuple(CONTENTS[table][0].split()) == header:
            return table
    raise ConfigError(f"{path.name}: has the columns of no table that is exported", code="NO_TABLE")


def _columns(table: str) -> Iterator[Column]:
    for name in CONTENTS[table][0].split():
        yield Column(name, "string", sources=tuple(_sources(TABLES[table], name)))


def _sources(origins: Origins, name: str) -> Iterator[ColumnSource]:
    for origin in origins_of(origins, name):
        done = COMPUTED if origin.computed else ""
        yield ColumnSource(origin.dataset, origin.column, DIRECT, TRANSFORMATION if done else IDENTITY, done)


def _quantities(names: Mapping[str, None]) -> Iterator[Column]:
    for name in names:
        yield Column(name, "number", "in the unit that it came in", (ColumnSource(_EX, f"measurements.{name}"),))
