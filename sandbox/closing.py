"""The records of every system at the end, counted in its own database, beside the expected counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sandbox.judge import Judge
from sandbox.products import StandIn

_COMPLETE = "FROM executions WHERE status = 'COMPLETE'"
_CAUSES = {
    "samples": "SELECT count(DISTINCT value) AS n FROM service_requests, json_each(module, '$.serial_numbers')",
    "result sets": f"SELECT count(*) AS n {_COMPLETE}",
    "non-conformances": f"SELECT count(*) AS n {_COMPLETE} AND qc_status = 'FAIL'",
    "tasks": "SELECT count(*) + sum(json_array_length(testing, '$.protocols')) AS n FROM service_requests",
    "operators' hours": f"SELECT count(*) AS n {_COMPLETE}",
    "equipment hours": "SELECT count(*) AS n FROM executions, json_each(equipment) WHERE status = 'COMPLETE'",
    "invoices": "SELECT count(*) AS n FROM service_requests WHERE status IN ('REPORTS_APPROVED', 'CLOSED')",
}
_LINES = (
    "SELECT count(*) AS rows, count(DISTINCT external_id || '/' || coalesce(json_extract(line.value, '$.protocol_id'),"
    " json_extract(line.value, '$.description'))) AS keys FROM invoices, json_each(body, '$.line_items') AS line"
)
_RECORDS = {
    "lims": {"sample": "samples", "result": "result sets"},
    "qms": {"non_conformance": "non-conformances", "capa": "CAPAs"},
    "pm": {"task": "tasks"},
    "erp": {"invoice": "invoices"},
}


class Tally(NamedTuple):
    """One kind of record in one system.

    Attributes:
        system: where it is.
        records: their kind, such as invoices.
        there: how many there are.
        twice: how many of them are there once too often.
        wanted: how many the framework gives cause for; ``None`` where it can't tell.
        comes_to: hours or money, in words.
    """

    system: str
    records: str
    there: int
    twice: int
    wanted: int | None = None
    comes_to: str = ""

    def row(self) -> dict[str, Any]:
        """Return the tally as a row of the closing table."""
        return {
            "system": self.system,
            "records": self.records,
            "count": self.there,
            "duplicates": self.twice,
            "expected": "" if self.wanted is None else self.wanted,
            "details": self.comes_to,
        }

    @property
    def complaint(self) -> str:
        """The complaint about it; empty when all is well."""
        if self.twice:
            return f"{self.system}: {self.twice} {self.records} are there twice"
        if self.wanted is not None and self.there != self.wanted:
            return f"{self.system}: {self.records} should be {self.wanted}, but are {self.there}"
        return ""


def closing(judge: Judge, products: Mapping[str, StandIn] | None = None) -> list[Tally]:
    """Count everything in the systems' own databases.

    Args:
        judge: the eyes on them.
        products: the stand-ins that have taken the place of the sandbox's own systems, by system.
    """
    causes = {name: judge.framework_rows(sql)[0]["n"] or 0 for name, sql in _CAUSES.items()}
    replaced = products or {}
    tallies = [tally for tally in _tallies(judge) if tally.system not in replaced]
    for system, stand_in in replaced.items():
        tallies += _of_product(system, stand_in)
    return [tally._replace(wanted=causes.get(tally.records)) for tally in tallies]


def _of_product(system: str, stand_in: StandIn) -> Iterator[Tally]:
    for kind, records in _RECORDS[system].items():
        yield _product_tally(system, records, [row["key"] for row in stand_in.rows(kind)])
    if system == "pm":
        keys = [row["key"] for row in stand_in.rows("time_entry")]
        yield _product_tally(system, "operators' hours", [key for key in keys if "/" not in key])
        yield _product_tally(system, "equipment hours", [key for key in keys if "/" in key])


def _product_tally(system: str, records: str, keys: Sequence[str]) -> Tally:
    return Tally(system, records, len(keys), len(keys) - len(set(keys)))


def _tallies(judge: Judge) -> Iterator[Tally]:
    yield Tally("lims", "samples", *_counted(judge, "lims", "samples", "project_id || '/' || external_id"))
    yield Tally("lims", "result sets", *_counted(judge, "lims", "results", "external_id || '/' || revision"))
    for table, records in (("nc_reports", "non-conformances"), ("capas", "CAPAs"), ("attachments", "files of CAPAs")):
        yield Tally("qms", records, *_counted(judge, "qms", table))
    yield Tally("qms", "audit events", *_counted(judge, "qms", "audit_events"))
    yield Tally("pm", "tasks", *_counted(judge, "pm", "tasks"))
    for table, field, records in (
        ("time_entries", "hours", "operators' hours"),
        ("resource_usage", "usage_hours", "equipment hours"),
    ):
        hours = sum(Decimal(str(value)) for value in _values(judge, "pm", table, field))
        yield Tally("pm", records, *_counted(judge, "pm", table), comes_to=f"{hours:,.2f} h")
    yield from _money(judge)
    for table, records in (("stock_movements", "stock movements"), ("consumables", "consumables drawn")):
        yield Tally("erp", records, *_counted(judge, "erp", table))


def _money(judge: Judge) -> Iterator[Tally]:
    sql = "SELECT body, status FROM invoices"
    sums = [Decimal(total) for total in _values(judge, "erp", "invoices", "total")]
    currencies = sorted(set(_values(judge, "erp", "invoices", "currency")))
    states = sorted({row["status"] for row in judge.rows("erp", sql)})
    total = f"{sum(sums):,.2f} {'/'.join(currencies)} {'/'.join(states).lower()}" if sums else ""
    yield Tally("erp", "invoices", *_counted(judge, "erp", "invoices"), comes_to=total)
    (lines,) = judge.rows("erp", _LINES)
    yield Tally("erp", "invoice lines", lines["rows"], lines["rows"] - lines["keys"])
    yield Tally("erp", "credit notes", *_counted(judge, "erp", "credit_notes"))


def _counted(judge: Judge, system: str, table: str, key: str = "external_id") -> tuple[int, int]:
    (row,) = judge.rows(system, f"SELECT count(*) AS rows, count(DISTINCT {key}) AS keys FROM {table}")  # noqa: S608
    return row["rows"], row["rows"] - row["keys"]


def _values(judge: Judge, system: str, table: str, field: str) -> list[Any]:
    rows = judge.rows(system, f"SELECT json_extract(body, '$.{field}') AS value FROM {table}")  # noqa: S608
    return [row["value"] for row in rows if row["value"] is not None]
