"""Files of records in the formats of import folders: CSV, Excel, XML and JSON. It shares no code with the product."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
from lxml import etree

Row = dict[str, Any]


def read_records(path: Path) -> list[Row]:
    """Return the rows or records of a file, whose ending says its format; an inner list is a list of rows."""
    return _FORMATS[path.suffix][0](path)


def write_records(path: Path, rows: Sequence[Row]) -> None:
    """Write rows into a file, whose ending says its format."""
    _FORMATS[path.suffix][1](path, rows)


def can_read(path: Path) -> bool:
    """Say whether a file's ending names a format."""
    return path.suffix in _FORMATS


def _read_csv(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _names(rows))
        writer.writeheader()
        writer.writerows(rows)


def _read_xlsx(path: Path) -> list[Row]:
    book = openpyxl.load_workbook(path)
    heading, *rows = book.active.iter_rows(values_only=True)
    return [dict(zip(heading, cells, strict=True)) for cells in rows]


def _write_xlsx(path: Path, rows: Sequence[Row]) -> None:
    book = openpyxl.Workbook()
    names = _names(rows)
    for cells in (names, *([row.get(name) for name in names] for row in rows)):
        book.active.append(cells)
    book.save(path)


def _read_xml(path: Path) -> list[Row]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return [_record(element) for element in etree.parse(str(path), parser).getroot()]


def _record(element: Any) -> Row:
    row: Row = {}
    for child in element:
        if len(child):
            row.setdefault(child.tag, []).append(_record(child))
        else:
            row[child.tag] = child.text or ""
    return row


def _write_xml(path: Path, rows: Sequence[Row]) -> None:
    root = etree.Element("Answers")
    for row in rows:
        record = etree.SubElement(root, "Record")
        for name, value in row.items():
            etree.SubElement(record, name).text = str(value)
    path.write_bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _read_json(path: Path) -> list[Row]:
    return list(json.loads(path.read_bytes(), parse_float=str))  # text keeps the digits


def _write_json(path: Path, rows: Sequence[Row]) -> None:
    path.write_text(json.dumps(rows), encoding="utf-8")


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


_FORMATS: dict[str, tuple[Callable[[Path], list[Row]], Callable[[Path, Sequence[Row]], None]]] = {
    ".csv": (_read_csv, _write_csv),
    ".xlsx": (_read_xlsx, _write_xlsx),
    ".xml": (_read_xml, _write_xml),
    ".json": (_read_json, _write_json),
}
