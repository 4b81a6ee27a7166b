"""The example records of a trial, a maker for each kind; each record has the mark of its trial."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from pv_testing.core import keys
from pv_testing.integrations import erp_records
from pv_testing.testing.example import Data, Example, Setting, absent

AT, DAY, DUE = "2025-11-12T15:30:00Z", "2025-11-12", "2025-12-12"
BILLED, PRICE, GROSS = 20, "5.00", "119.00"
RECEIVED = "RECEIVED"
STRESSED = tuple(f"PVTP-{number:03}" for number in (18, 19, 20, 30, 38))
MODULE = (
    ("Pmax", "W"),
    ("Voc", "V"),
    ("Isc", "A"),
    ("Vmp", "V"),
    ("Imp", "A"),
    ("Fill_Factor", "%"),
    ("Efficiency", "%"),
)
MEASURED = (
    *(("PVTP-001", parameter, unit) for parameter, unit in MODULE),
    ("PVTP-002", "NOCT", "°C"),
    ("PVTP-002", "Pmax_NOCT", "W"),
    ("PVTP-002", "Temperature_Coefficient_Pmax", "%/°C"),
    ("PVTP-003", "Pmax_Low_Irradiance", "W"),
    ("PVTP-003", "Efficiency_Low_Irradiance", "%"),
    ("PVTP-003", "Linearity_Deviation", "%"),
    ("PVTP-010", "Test_Voltage", "V"),
    *((protocol, "Pmax_Initial", "W") for protocol in STRESSED),
    *((protocol, "Pmax_Final", "W") for protocol in STRESSED),
    *((protocol, "Power_Degradation", "%") for protocol in STRESSED),
)
"""The measured quantities. A LIMS may hold each one of a sample once, so each place takes another."""
NEVER_MADE = 900
"""The first place of the records that are never created."""
OF_NOTHING = 950
"""The place of a record whose parent isn't there."""


def _sample(setting: Setting, place: int) -> Data:
    module = {"manufacturer": "Trial", "model": "T400", "power_rating": 400}
    customer = {"name": "Trial customer"}
    return {
        **module,
        "sr_number": setting.mark,
        "serial_number": setting.name(place),
        "customer": customer,
        "customer_name": customer["name"],
        "module": module,
        "protocols": ["PVTP-001"],
    }


def _renamed(data: Data) -> Data:
    return {**data, "customer_name": "Changed customer", "customer": {"name": "Changed customer"}}


def _result(setting: Setting, place: int) -> Data:
    protocol, parameter, unit = MEASURED[place % len(MEASURED)]
    measured = {"parameter": parameter, "value": 39.5, "unit": unit, "uncertainty": 2.0, "qc_status": "PASS"}
    return {
        "execution_id": setting.number(place),
        "sr_number": setting.mark,
        "serial_number": setting.name(0),
        "lims_sample_id": setting.first("sample"),
        "protocol_id": protocol,
        "protocol": {"protocol_id": protocol, "name": "Trial"},
        "started_at": AT,
        "completed_at": AT,
        "operator_name": "Trial operator",
        "operator": {"id": 1, "name": "Trial operator"},
        "qc_status": "PASS",
        "equipment": [],
        "measurements": [measured],
    }


def _measured_anew(data: Data) -> Data:
    first, *rest = data["measurements"]
    return {**data, "measurements": [{**first, "value": first["value"] + 1}, *rest]}


def _their_states(setting: Setting) -> list[str]:
    """Return the LIMS's words through which a sample goes: received, then those of ``sample_status``."""
    known = setting.contract.vocabularies
    receipt = known["receipt"].to_external.get("RECEIVED") if "receipt" in known else None
    words = list(known["sample_status"].to_external.values()) if "sample_status" in known else []
    return list(dict.fromkeys([receipt, *words] if receipt else words))


def _sample_status(setting: Setting, place: int) -> Data:
    word = _their_states(setting)[place]
    return {"lims_sample_id": setting.last("sample"), "lims_status": word, "notes": ""}


def _nc(setting: Setting, place: int) -> Data:
    return {
        "execution_id": setting.number(place),
        "title": f"Trial {setting.name(place)}",
        "description": "A trial of the contract",
        "severity": "MINOR",
        "source": "Testing",
        "detected_at": AT,
        "related_documents": [],
        "affected_items": [{"type": "Sample", "id": setting.name(place), "quantity": 1}],
        "immediate_cause": "None, this is a trial",
        "contributing_factors": ["None"],
        "proposed_corrective_action": "None",
        "sr_number": setting.mark,
        "serial_number": setting.name(place),
        "protocol_id": "PVTP-001",
        "protocol_name": "Trial",
    }


def _capa(setting: Setting, place: int) -> Data:
    return {
        "capa_key": setting.name(place),
        "title": f"Trial {setting.name(place)}",
        "problem_statement": "A trial of the contract",
        "root_cause": "None, this is a trial",
        "corrective_action": {"description": "None", "responsible": "Trial", "target_date": DUE},
        "effectiveness_criteria": "None",
        "related_ncs": [],
    }


def _attachment(setting: Setting, place: int) -> Data:
    name = f"{setting.name(place)}.txt"
    return {"capa_id": setting.first("capa"), "filename": name, "content_type": "text/plain", **_content(name)}


def _content(text: str) -> Data:
    content = text.encode()
    return {"content": base64.b64encode(content).decode(), "sha256": hashlib.sha256(content).hexdigest()}


def _audit_event(setting: Setting, place: int) -> Data:
    return {
        "event_key": setting.name(place),
        "timestamp": AT,
        "user": "trial",
        "action": "data_create",
        "resource_type": "trial",
        "resource_id": setting.name(place),
        "source": setting.mark,
        "position": place,
    }


def _task(setting: Setting, place: int) -> Data:
    return {
        "task_key": setting.name(place),
        "sr_number": setting.name(place),
        "project_id": setting.mark,
        "title": f"Trial {setting.name(place)}",
        "description": "A trial of the contract",
        "start_date": DAY,
        "due_date": DUE,
    }


def _subtask(setting: Setting, place: int) -> Data:
    return {
        "task_key": keys.compose(setting.name(0), f"T{place:03}"),
        "parent_task_id": setting.first("task"),
        "project_id": setting.mark,
        "sr_number": setting.name(0),
        "protocol_id": f"T{place:03}",
        "title": f"T{place:03}: trial",
        "estimated_hours": 2.0,
    }


def _task_status(setting: Setting, place: int) -> Data:
    status = setting.words("task_status")[place]
    return {"task_key": setting.last("task"), "task_id": setting.last("task"), "status": status}


def _progress(setting: Setting, place: int) -> Data:
    tasks = setting.ids["task"]
    task = absent(tasks[-1]) if NEVER_MADE <= place < OF_NOTHING else tasks[place % len(tasks)]
    done = 10.0 + place % 80
    return {"progress_key": setting.name(place), "project_id": setting.mark, "task_id": task, "progress_percent": done}


def _time_entry(setting: Setting, place: int) -> Data:
    return {
        "execution_id": setting.number(place),
        "task_id": setting.first("task"),
        "user": "trial@lab.example",
        "date": DAY,
        "hours": 1.5,
        "description": f"Trial {setting.name(place)}",
    }


def _resource_usage(setting: Setting, place: int) -> Data:
    return {
        "usage_key": setting.name(place),
        "task_id": setting.first("task"),
        "resource_type": "Equipment",
        "resource_id": "TC-001",
        "usage_hours": 1.5,
        "date": DAY,
    }


def _customer(setting: Setting, place: int) -> Data:
    return dict(erp_records.customer({"name": f"{setting.name(place)} trial customer"}).data)


def _invoice(setting: Setting, place: int) -> Data:
    return dict(erp_records.invoice({**_bill(setting), "reference": setting.name(place), "due_date": DUE}).data)


def _bill(setting: Setting, quantity: int = BILLED) -> Data:
    line = {"protocol_id": "PVTP-001", "description": "Trial", "quantity": quantity, "unit_price": PRICE}
    head = {"customer_id": setting.first("customer"), "invoice_date": DAY, "currency": "EUR", "tax_rate": "19"}
    return {**head, "line_items": [line]}


def _posting(setting: Setting, place: int) -> Data:
    del place
    data = dict(erp_records.posting(setting.mark, setting.last("invoice"), GROSS).data)
    return {**data, "reference": setting.mark}


def _credit_note(setting: Setting, place: int) -> Data:
    given = {**_bill(setting, 1), "invoice_id": setting.last("invoice"), "reason": "Trial"}
    reference = keys.compose(setting.name(place), "PVTP-001")
    return dict(erp_records.credit_note({**given, "reference": reference}).data)


def _stock_movement(setting: Setting, place: int) -> Data:
    return {"sr_number": setting.mark, "serial_number": setting.name(place), "movement": RECEIVED, "date": DAY}


def _moved(data: Data) -> Data:
    return dict(erp_records.stock_movement(data).data)


def _received(data: Data) -> Data | None:
    return None if data["movement"] == RECEIVED else {**data, "movement": RECEIVED}


def _consumable(setting: Setting, place: int) -> Data:
    given = {"execution_id": setting.number(place), "item": "CLEANER", "quantity": "0.05", "unit": "l", "date": DAY}
    return dict(erp_records.consumable(given).data)


def _sr_status(setting: Setting, place: int) -> Data:
    return {"sr_id": int(setting.last("service_request")), "status": setting.words("sr_status")[place]}


def service_request(setting: Setting) -> Data:
    """Return a service request in the framework's own words, for the state of one to be tried."""
    module = {"manufacturer": "Trial", "model": "T400", "power_rating": 400, "quantity": 1}
    customer = {"name": f"{setting.mark} customer"}
    return {"customer": customer, "module": module, "testing": {"protocols": []}}


def _with(**other: Any) -> Callable[[Data], Data]:
    return lambda data: {**data, **other}


EXAMPLES: Mapping[str, Example] = {
    "customer": Example(_customer, ("name",), _with(phone="+49 30 1"), listing="get_customers", row=("name",)),
    "sample": Example(
        _sample,
        ("sr_number", "serial_number"),
        _renamed,
        listing="get_samples",
        row=("project_id", "external_id"),
        shared={"project_id": "sr_number"},
    ),
    "result": Example(
        _result,
        ("execution_id",),
        _measured_anew,
        needs=("sample",),
        listing="get_results",
        shared={"sample_id": "lims_sample_id"},
    ),
    "sample_status": Example(_sample_status, ("lims_sample_id",), needs=("sample",), states=_their_states),
    "sr_status": Example(
        _sr_status, ("sr_id",), needs=("service_request",), states=lambda setting: setting.words("sr_status")
    ),
    "nc": Example(_nc, ("execution_id",), _with(description="A changed trial"), listing="get_nc_reports"),
    "capa": Example(_capa, ("capa_key",), _with(problem_statement="A changed trial"), listing="get_capas"),
    "attachment": Example(
        _attachment,
        ("capa_id", "filename"),
        _with(**_content("changed")),
        needs=("capa",),
        listing="get_attachments",
        shared={"capa_id": "capa_id"},
    ),
    "audit_event": Example(_audit_event, ("event_key",), listing="get_audit_events", shared={"source": "source"}),
    "task": Example(
        _task, ("task_key",), _with(title="Changed"), listing="get_tasks", shared={"project_id": "project_id"}
    ),
    "subtask": Example(
        _subtask,
        ("task_key",),
        _with(title="Changed"),
        needs=("task",),
        listing="get_tasks",
        shared={"project_id": "project_id"},
    ),
    "time_entry": Example(
        _time_entry,
        ("execution_id",),
        _with(hours=2.5),
        needs=("task",),
        listing="get_time_entries",
        shared={"task_id": "task_id"},
    ),
    "resource_usage": Example(
        _resource_usage,
        ("usage_key",),
        _with(usage_hours=2.5),
        needs=("task",),
        listing="get_resource_usage",
        shared={"task_id": "task_id"},
    ),
    "progress": Example(_progress, ("progress_key",), _with(progress_percent=95.0), needs=("task",)),
    "task_status": Example(
        _task_status, ("task_key",), needs=("task",), states=lambda setting: setting.words("task_status")
    ),
    "invoice": Example(
        _invoice,
        ("reference",),
        _with(notes="Changed"),
        needs=("customer",),
        listing="get_invoices",
        shared={"customer_id": "customer_id"},
    ),
    "invoice_posting": Example(_posting, ("reference",), needs=("invoice",), states=lambda _: ["POSTED"]),
    "credit_note": Example(_credit_note, ("credit_note_key",), needs=("invoice", "invoice_posting")),
    "stock_movement": Example(
        _stock_movement, ("movement_key",), listing="get_stock_movements", remake=_moved, before=_received
    ),
    "consumable": Example(_consumable, ("consumable_key",)),
}
"""By kind, each after the kinds that it needs."""
