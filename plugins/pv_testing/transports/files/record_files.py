"""Mapped records as the bytes of one file, in the format of the contract."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pv_testing.contracts.files import FileDrop, FileFormat
from pv_testing.contracts.paths import getter
from pv_testing.transports.files.csv_writer import write_csv
from pv_testing.transports.files.json_writer import encoded_list
from pv_testing.transports.files.xml_writer import write_records

ROOT = "Records"
SHEET = "Records"


def file_of(records: Sequence[Mapping[str, Any]], drop: FileDrop) -> bytes:
    """Return the file that carries some records.

    Args:
        records: in the system's words.
        drop: how a file looks.

    Raises:
        DataError: the format can't hold one of them.
    """
    form = drop.form
    if form.kind in {"csv", "xlsx"}:
        return table_file(drop.columns, list(_rows(records, drop)), form)
    return nested_file(records, form)


def table_file(columns: Sequence[str], rows: Sequence[Sequence[Any]], form: FileFormat) -> bytes:
    """Return a table as CSV or as a workbook."""
    file = io.BytesIO()
    if form.kind == "csv":
        write_csv(file, columns, rows, form)
    else:
        from pv_testing.transports.files.excel_writer import write_workbook

        write_workbook(file, {form.sheet or SHEET: (columns, rows)})
    return file.getvalue()


def nested_file(records: Sequence[Mapping[str, Any]], form: FileFormat) -> bytes:
    """Return records as XML or JSON."""
    if form.kind == "xml":
        file = io.BytesIO()
        write_records(file, records, form.root or ROOT, form.record)
        return file.getvalue()
    array = encoded_list([dict(record) for record in records])
    return b'{"' + form.root.encode() + b'": ' + array + b"}\n" if form.root else array + b"\n"


def _rows(records: Sequence[Mapping[str, Any]], drop: FileDrop) -> Iterator[list[Any]]:
    getters = [getter(column) for column in drop.columns]
    for record in records:
        if not drop.rows:
            yield [get(record) for get in getters]
            continue
        for inner in getter(drop.rows)(record) or [{}]:
            yield [get({**record, **inner}) for get in getters]
