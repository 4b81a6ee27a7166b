"""Where the fields of a record come from, before the contract's map renames and converts them.

A field that is taken as it is names its source; one that is computed has a tuple of all sources. A source is
``SYSTEM/DATASET.COLUMN``, the columns in the project's words (:mod:`pv_testing.domain.records`). ``*`` stands for each
field that isn't named. What is the same in each record, such as ``source: Testing``, has no source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pv_testing.domain import datasets

Origins = Mapping[str, str | tuple[str, ...]]
OTHERS = "*"

_SR, _EX, _PR = datasets.SERVICE_REQUESTS, datasets.EXECUTIONS, datasets.PROTOCOLS
_NUMBER, _PROTOCOL, _MODULE = f"{_SR}.sr_number", f"{_EX}.protocol_id", f"{_EX}.serial_number"
_SERIAL, _TIMES = f"{_SR}.modules.serial_number", (f"{_EX}.started_at", f"{_EX}.completed_at")
_TASK, _INVOICE, _PRICE = f"{datasets.TASKS}.id", f"{datasets.INVOICES}.id", f"{datasets.PRICES}.price"
_EVENT = (datasets.FRAMEWORK_EVENTS, datasets.LEDGER_EVENTS)
_CRITERIA, _MEASURED = f"{_EX}.criteria", f"{_EX}.measurements"
_CONDITIONS, _EQUIPMENT = f"{_EX}.conditions", f"{_EX}.equipment"
_AMOUNT = (f"{_SR}.protocols", f"{_SR}.modules", f"{_SR}.priority", _PRICE)
_EVIDENCE = tuple(f"{datasets.FINDINGS}.{name}" for name in ("executions", "modules", "strata", "chart", "signal"))

_LINES: Origins = {
    "line_items.protocol_id": f"{_SR}.protocols",
    "line_items.description": (f"{_SR}.protocols", f"{_PR}.name"),
    "line_items.quantity": (f"{_SR}.modules",),
    "line_items.unit_price": (_PRICE, f"{_SR}.priority"),
    "line_items.total": _AMOUNT,
    "sr_number": _NUMBER,
    "customer_id": f"{datasets.CUSTOMERS}.id",
    "currency": f"{datasets.PRICES}.currency",
    "invoice_date": (f"{_SR}.status",),
    "subtotal": _AMOUNT,
    "tax_rate": (f"{_SR}.customer",),
    "tax": (*_AMOUNT, f"{_SR}.customer"),
    "total": (*_AMOUNT, f"{_SR}.customer"),
}

ORIGINS: Mapping[str, Origins] = {
    "sample": {
        "sr_number": _NUMBER,
        "serial_number": _SERIAL,
        "customer": f"{_SR}.customer",
        "customer_name": f"{_SR}.customer.name",
        "protocols": f"{_SR}.protocols",
        "module": f"{_SR}.modules",
        "sample_type": (),
        OTHERS: f"{_SR}.modules",
    },
    "sample_status": {"lims_sample_id": f"{datasets.SAMPLES}.id", "lims_status": (f"{_SR}.status",)},
    "sr_status": {"sr_id": f"{_SR}.id", "status": (f"{datasets.SAMPLES}.status",)},
    "result": {
        "sr_number": _NUMBER,
        "lims_sample_id": f"{datasets.SAMPLES}.id",
        "protocol": _PR,
        "protocol_name": f"{_PR}.name",
        "operator_name": f"{_EX}.operator",
        "measurements.qc_status": (f"{_MEASURED}.qc_status", f"{_CRITERIA}.result", f"{_EX}.qc_status"),
        OTHERS: _EX,
    },
    "nc": {
        "sr_number": _NUMBER,
        "title": (f"{_PR}.name", _PROTOCOL),
        "source": (),
        "detected_at": f"{_EX}.completed_at",
        "protocol_name": f"{_PR}.name",
        "related_documents": (_NUMBER, _PROTOCOL),
        "affected_items": (_MODULE,),
        "earlier_nc": f"{datasets.NON_CONFORMANCES}.id",
        "severity": (_PROTOCOL, _CRITERIA),
        "description": (
            *(f"{_EX}.execution_id", _MODULE, _NUMBER, _PROTOCOL, f"{_PR}.name", _CRITERIA, _MEASURED),
            *(_CONDITIONS, _EQUIPMENT, f"{_EX}.qc_status", f"{_EX}.completed_at", f"{datasets.NON_CONFORMANCES}.id"),
        ),
        "immediate_cause": (_CRITERIA, _MEASURED),
        "contributing_factors": (_CONDITIONS, _EQUIPMENT, f"{_EX}.completed_at"),
        "proposed_corrective_action": (
            *(_PROTOCOL, f"{_PR}.category", _CONDITIONS, _EQUIPMENT, f"{_EX}.completed_at"),
        ),
        OTHERS: _EX,
    },
    "capa": {OTHERS: datasets.FINDINGS},
    "attachment": {
        "capa_id": f"{datasets.CAPAS}.id",
        "filename": (),
        "content_type": (),
        "content": _EVIDENCE,
        "sha256": _EVIDENCE,
    },
    "audit_event": {OTHERS: _EVENT},
    "task": {
        "task_key": _NUMBER,
        "title": (_NUMBER,),
        "description": (f"{_SR}.customer.name",),
        "due_date": f"{_SR}.delivery_date",
        "start_date": (f"{_SR}.created_at",),
        "assignee": f"{_SR}.manager.email",
        OTHERS: _SR,
    },
    "subtask": {
        "task_key": (_NUMBER, f"{_SR}.protocols"),
        "protocol_id": f"{_SR}.protocols",
        "parent_task_id": _TASK,
        "assignee": f"{datasets.USERS}.email",
        "title": (f"{_SR}.protocols", f"{_PR}.name"),
        "estimated_hours": f"{_PR}.duration_hours",
        OTHERS: _SR,
    },
    "task_status": {
        "task_key": (_NUMBER, f"{_SR}.protocols"),
        "task_id": _TASK,
        "status": (f"{_EX}.status", f"{_SR}.status"),
        "notes": (f"{_EX}.qc_status", f"{_EX}.status", _NUMBER),
        "actual_hours": _TIMES,
        "completion_date": (f"{_EX}.completed_at",),
    },
    "progress": {
        "progress_key": _NUMBER,
        "project_id": f"{_SR}.project_id",
        "task_id": _TASK,
        "progress_percent": (f"{_EX}.status", f"{_SR}.protocols", f"{_PR}.duration_hours"),
    },
    "time_entry": {
        "task_id": _TASK,
        "user": (f"{_EX}.operator", f"{datasets.USERS}.email"),
        "description": (f"{_PR}.name", _PROTOCOL, _MODULE),
        "hours": _TIMES,
        "date": (f"{_EX}.started_at",),
        OTHERS: _EX,
    },
    "resource_usage": {
        "usage_key": (f"{_EX}.execution_id", _EQUIPMENT),
        "task_id": _TASK,
        "resource_type": (),
        "resource_id": _EQUIPMENT,
        "usage_hours": _TIMES,
        "date": (f"{_EX}.started_at",),
        OTHERS: _EX,
    },
    "customer": {OTHERS: f"{_SR}.customer"},
    "invoice": {
        **_LINES,
        "reference": _NUMBER,
        "due_date": (f"{_SR}.status",),
        "po_number": f"{_SR}.purchase_order",
        "notes": (_NUMBER,),
    },
    "invoice_posting": {**_LINES, "invoice_id": _INVOICE},
    "credit_note": {
        **_LINES,
        "credit_note_key": (_NUMBER, f"{_SR}.protocols"),
        "invoice_id": _INVOICE,
        "reason": (f"{_SR}.protocols",),
        "protocol_id": f"{_SR}.protocols",
    },
    "stock_movement": {
        "sr_number": _NUMBER,
        "serial_number": _SERIAL,
        "movement_key": (_NUMBER, _SERIAL),
        "movement": (f"{_SR}.status", f"{_EX}.qc_status"),
        "date": (f"{_SR}.status",),
        "product": (f"{_SR}.modules",),
        "customer": f"{_SR}.customer",
        "customer_name": f"{_SR}.customer.name",
        "customer_id": f"{datasets.CUSTOMERS}.id",
        "module": f"{_SR}.modules",
        OTHERS: f"{_SR}.modules",
    },
    "consumable": {
        "consumable_key": (f"{_EX}.execution_id", _PROTOCOL),
        "sr_number": _NUMBER,
        "item": (_PROTOCOL,),
        "quantity": (_PROTOCOL,),
        "unit": (_PROTOCOL,),
        "date": (f"{_EX}.completed_at",),
        OTHERS: _EX,
    },
}
"""By the kind of record."""


class Origin(NamedTuple):
    """One column that a field comes from.

    Attributes:
        dataset: such as ``framework/executions``.
        column: such as ``measurements.value``.
        computed: whether the field is made of it by a rule, and not taken as it is.
    """

    dataset: str
    column: str
    computed: bool


def origins_of(origins: Origins, field: str) -> Iterator[Origin]:
    """Give the columns that a field of a record comes from; nothing where it is the same in each record.

    Args:
        origins: of the kind of record.
        field: a dotted path into the record, such as ``measurements.value``.
    """
    named, rest = _entry(origins, field)
    computed = isinstance(named, tuple)
    for source in named if isinstance(named, tuple) else (named,):
        dataset, _, column = source.partition(".")
        below = rest if not computed or not column else ""
        path = ".".join(part for part in (column, below) if part)
        if dataset and path:
            yield Origin(dataset, path, computed)


def _entry(origins: Origins, field: str) -> tuple[str | tuple[str, ...], str]:
    """Return the entry of a field, or of the longest part of its path that has one, and the rest of the path."""
    named, rest = field, ""
    while named:
        if named in origins:
            return origins[named], rest
        named, _, last = named.rpartition(".")
        rest = f"{last}.{rest}" if rest else last
    return origins.get(OTHERS, ()), field
