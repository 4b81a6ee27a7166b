"""The events that others can subscribe to: their names, what each is about, and what of the ledger becomes which.

The first three names are the integration guide's. All others follow from what the ledger settles: a kind of record and
what became of it, or a person's decision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

SERVICE_REQUEST_CREATED = "service_request.created"
PROTOCOL_COMPLETED = "protocol.completed"
REPORT_GENERATED = "report.generated"
WAITING = "record.waiting"

EVENTS: Mapping[str, str] = {
    SERVICE_REQUEST_CREATED: "The framework has a new service request.",
    PROTOCOL_COMPLETED: "An execution of a protocol is complete, and its results are in the LIMS.",
    REPORT_GENERATED: "The framework has made a report of a service request.",
    "sample.created": "A sample is in the LIMS.",
    "sample.updated": "A sample has changed in the LIMS.",
    "sample.status_changed": "A sample has another status in the LIMS.",
    "results.uploaded": "The results of an execution are in the LIMS.",
    "results.amended": "Corrected results of an execution are in the LIMS.",
    "service_request.status_changed": "A service request has another status in the framework.",
    "non_conformance.raised": "A non-conformance is in the QMS.",
    "non_conformance.updated": "A non-conformance has changed in the QMS.",
    "capa.approved": "A person has approved a CAPA.",
    "capa.rejected": "A person has decided against a CAPA.",
    "capa.raised": "A CAPA is in the QMS.",
    "capa.updated": "A CAPA has changed in the QMS.",
    "attachment.added": "A file is attached to a record in the QMS.",
    "task.created": "A task or subtask is in project management.",
    "task.updated": "A task or subtask has changed in project management.",
    "task.status_changed": "A task has another status in project management.",
    "project.progress_changed": "A project has made progress.",
    "time_entry.logged": "An operator's hours are in project management.",
    "resource_usage.logged": "The hours of equipment are in project management.",
    "customer.created": "A customer is in the ERP.",
    "invoice.created": "A draft of an invoice is in the ERP.",
    "invoice.updated": "A draft of an invoice has changed in the ERP.",
    "invoice.posted": "An invoice is posted in the ERP.",
    "credit_note.created": "A credit note is in the ERP.",
    "stock_movement.recorded": "Modules have moved in the ERP's stock.",
    "consumable.drawn": "Consumables are drawn from the ERP's stock.",
    WAITING: "A record is refused or can't be carried, and waits for a person.",
    "record.released": "A person lets a record that waited be tried again.",
    "record.confirmed": "A person has seen a record that waited in the system.",
}
"""Every event by name, with what it says."""

FACTS = (
    "sr_number", "serial_number", "execution_id", "protocol_id", "qc_status", "status", "severity", "project_id",
    "task_id", "reference",
)  # fmt: skip
"""Fields of a record that an event repeats where the record has them; never a measurement, a price or a person."""

_CREATED: Mapping[str, str] = {
    "sample": "sample.created", "sample_status": "sample.status_changed", "result": "results.uploaded",
    "sr_status": "service_request.status_changed", "nc": "non_conformance.raised", "capa": "capa.raised",
    "attachment": "attachment.added", "task": "task.created", "subtask": "task.created",
    "task_status": "task.status_changed", "progress": "project.progress_changed", "time_entry": "time_entry.logged",
    "resource_usage": "resource_usage.logged", "customer": "customer.created", "invoice": "invoice.created",
    "invoice_posting": "invoice.posted", "credit_note": "credit_note.created",
    "stock_movement": "stock_movement.recorded", "consumable": "consumable.drawn",
}  # fmt: skip
_UPDATED: Mapping[str, str] = {
    "sample": "sample.updated", "result": "results.amended", "nc": "non_conformance.updated", "capa": "capa.updated",
    "task": "task.updated", "subtask": "task.updated", "invoice": "invoice.updated",
}  # fmt: skip
_DECIDED = {
    ("approve", "capa"): "capa.approved",
    ("reject", "capa"): "capa.rejected",
}
_BY_PERSON = {"release": "record.released", "confirm": "record.confirmed"}
_SAID_SAME = {"unchanged", "deferred"}
_TEXT_LIMIT = 500


class Occurrence(NamedTuple):
    """Something that has happened and that others may want to hear.

    Attributes:
        name: of the event.
        subject: what it is about; events of one subject are delivered in their order.
        data: JSON values.
        once: what names it, where the same thing may be noticed again; empty for what is written once anyway.
    """

    name: str
    subject: str
    data: Mapping[str, Any]
    once: str = ""


def occurrences(event: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[Occurrence]:
    """Give what an event of the audit trail means to others; most mean one thing, some nothing.

    Args:
        event: with ``action``, ``system``, ``kind``, ``key``, ``result``, ``external_id`` and ``detail``.
        facts: the record as it was before mapping, where it is known.
    """
    name = _name(event)
    if not name:
        return
    known = {field: _short(facts[field]) for field in FACTS if facts.get(field) not in (None, "")}
    subject = str(known.get("sr_number") or event["key"])
    yield Occurrence(name, subject, {**_of_record(event, waits=name == WAITING), **known})
    if name == "results.uploaded" and known.get("sr_number"):
        yield Occurrence(PROTOCOL_COMPLETED, subject, _completed(event, known))


def _name(event: Mapping[str, Any]) -> str:
    action, kind, result = event["action"], event["kind"], event["result"]
    if (action, kind) in _DECIDED:
        return _DECIDED[action, kind]
    if kind not in _CREATED:
        return WAITING if action in {"quarantine", "suspect"} else ""
    if action in {"quarantine", "suspect"} or (action == "settle" and result in {"rejected", "quarantined"}):
        return WAITING
    if action in _BY_PERSON:
        return _BY_PERSON[action]
    if action != "settle" or result in _SAID_SAME:
        return ""
    amended = result == "updated" or int(event["detail"].get("revision") or 1) > 1
    return _UPDATED.get(kind, _CREATED[kind]) if amended else _CREATED[kind]


def _of_record(event: Mapping[str, Any], *, waits: bool) -> dict[str, Any]:
    data = {name: event[name] for name in ("system", "kind", "key")}
    if event["result"]:
        data["outcome"] = event["result"]
    if event["external_id"]:
        data["id"] = event["external_id"]
    if "revision" in event["detail"]:
        data["revision"] = event["detail"]["revision"]
    if waits:
        data.update(code=event["detail"].get("code", ""), reason=_short(event["detail"].get("reason", "")))
    return data


def _completed(event: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the integration guide prints of a completed protocol."""
    execution = str(known.get("execution_id") or event["key"])
    return {
        "execution_id": int(execution) if execution.isascii() and execution.isdecimal() else execution,
        "protocol_id": known.get("protocol_id", ""),
        "sr_number": known["sr_number"],
        "status": "COMPLETE",
        "qc_status": known.get("qc_status", "UNDECIDED"),
    }


def _short(value: Any) -> Any:
    plain = getattr(value, "value", value)
    if plain is None or isinstance(plain, (bool, int)):
        return plain
    return str(plain)[:_TEXT_LIMIT]


def matches(pattern: str, name: str) -> bool:
    """Say whether an event is one of those that a subscription names, such as ``invoice.*`` or ``*``."""
    return fnmatchcase(name, pattern)
