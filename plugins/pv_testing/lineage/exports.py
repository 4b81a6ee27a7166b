"""The lineage of exported files: where the columns of each table come from, and how many rows were written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pv_testing.domain import datasets
from pv_testing.exporters.exported import ExportedTable
from pv_testing.lineage.columns import Column, ColumnSource, sources_of
from pv_testing.lineage.flows import Flow, by_dataset
from pv_testing.lineage.origins import OTHERS, Origins

_SR, _EX, _PR = datasets.SERVICE_REQUESTS, datasets.EXECUTIONS, datasets.PROTOCOLS
_MEASURED, _CRITERIA = f"{_EX}.measurements", f"{_EX}.criteria"
_VERDICT = (f"{_MEASURED}.qc_status", f"{_CRITERIA}.result", f"{_EX}.qc_status")
_POINT = ("series", "number", "quantity", "value", "unit", "timestamp")
_FACTS = ("sr_number", "status", "customer", "purchase_order", "created_at", "delivery_date", "modules", "protocols")
_TEST: Origins = {"sr_number": f"{_SR}.sr_number", "protocol_name": f"{_PR}.name", OTHERS: _EX}

TABLES: Mapping[str, Origins] = {
    "summary_data": {"value": (*(f"{_SR}.{name}" for name in _FACTS), f"{_EX}.status", f"{_EX}.qc_status")},
    "measurement_data": {
        **_TEST,
        **{name: f"{_MEASURED}.{name}" for name in ("parameter", "value", "unit", "uncertainty")},
        "qc_status": _VERDICT,
    },
    "result_data": {**_TEST, "completed_at [UTC]": f"{_EX}.completed_at"},
    "qc_data": {
        **_TEST,
        **{name: f"{_CRITERIA}.{name}" for name in ("parameter", "result", "expected", "tolerance", "measured")},
        "qc_status": (f"{_EX}.qc_status",),
        "framework_status": f"{_EX}.qc_status",
    },
    "execution_data": _TEST,
    "raw_data": {**_TEST, **dict.fromkeys(_POINT, f"{_EX}.curves")},
    "lims_v2": {
        "Number": f"{_SR}.sr_number",
        "Status": f"{_SR}.status",
        "Customer": f"{_SR}.customer.name",
        "PurchaseOrder": f"{_SR}.purchase_order",
        "Sample.SerialNumber": (f"{_SR}.modules.serial_number", f"{_EX}.serial_number"),
        "Sample.Manufacturer": f"{_SR}.modules.manufacturer",
        "Sample.Model": f"{_SR}.modules.model",
        "Sample.Test.ExecutionId": f"{_EX}.execution_id",
        "Sample.Test.ProtocolId": f"{_EX}.protocol_id",
        "Sample.Test.ProtocolName": f"{_PR}.name",
        "Sample.Test.StartedAt": f"{_EX}.started_at",
        "Sample.Test.CompletedAt": f"{_EX}.completed_at",
        "Sample.Test.Operator": f"{_EX}.operator",
        "Sample.Test.Equipment": f"{_EX}.equipment",
        "Sample.Test.Status": (f"{_EX}.qc_status",),
        "Sample.Test.Series.Point": f"{_EX}.curves",
        "Sample.Test.Result.Analyte": f"{_MEASURED}.parameter",
        "Sample.Test.Result.Value": f"{_MEASURED}.value",
        "Sample.Test.Result.Finding": f"{_MEASURED}.value",
        "Sample.Test.Result.Unit": f"{_MEASURED}.unit",
        "Sample.Test.Result.Uncertainty": f"{_MEASURED}.uncertainty",
        "Sample.Test.Result.Status": _VERDICT,
    },
}
"""Where the columns of an exported table come from."""

MOST_QUANTITIES = 200


def export_flows(tables: Iterable[ExportedTable]) -> list[Flow]:
    """Return the lineage of exported tables, one flow for each kind of table.

    Each quantity that a table has measurements of counts as a column of its own.

    Args:
        tables: what :class:`~pv_testing.exporters.exporter.DataExporter` says that it has written.
    """
    return by_dataset(_flow(table) for table in tables)


def _flow(table: ExportedTable) -> Flow:
    return Flow(
        f"{datasets.EXPORTS}/{table.name}",
        (*_columns(table), *_quantities(table)),
        written=table.rows,
        in_effect=table.rows,
        size=table.size,
    )


def _columns(table: ExportedTable) -> Iterator[Column]:
    for name in table.columns:
        if name not in table.quantities:
            yield Column(name, "string", sources=sources_of(TABLES[table.name], name))


def _quantities(table: ExportedTable) -> Iterator[Column]:
    for name, quantity in list(table.quantities.items())[:MOST_QUANTITIES]:
        yield Column(name, "number", "in the unit that it came in", (ColumnSource(_EX, f"measurements.{quantity}"),))
