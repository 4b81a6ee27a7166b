"""Reads service requests and executions from the framework, whichever of its documented shapes they come in.

The framework's documents disagree with each other (one module object or many, measurements as a list or by name, three
names for the serial number of a module). Every shape that they show is read here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pv_testing.domain.records import Criterion, Execution, Measurement, Module, ServiceRequest
from pv_testing.errors import DataError

_DERIVED = {"fill_factor": ("Fill_Factor", "%"), "efficiency": ("Efficiency", "%")}


def first(data: Mapping[str, Any], *paths: str) -> Any:
    """Return the first value that one of the dotted paths leads to and that isn't ``None``."""
    for path in paths:
        value: Any = data
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None:
            return value
    return None


def text(value: Any) -> str:
    """Return a value as stripped text; ``None`` becomes the empty string."""
    return "" if value is None else str(value).strip()


def read_service_request(data: Mapping[str, Any]) -> ServiceRequest:
    """Read a service request.

    Args:
        data: what ``GET /service-requests/{id}`` says.

    Raises:
        DataError: it has no number, so that nothing about it could be found again.
    """
    sr_number = text(data.get("sr_number"))
    if not sr_number:
        raise DataError(
            f"service request {data.get('id')} has no sr_number", system="framework", code="SR_NUMBER_MISSING"
        )
    modules = tuple(_modules(data))
    return ServiceRequest(
        id=int(data.get("id") or 0),
        sr_number=sr_number,
        status=text(data.get("status")),
        customer=data.get("customer") or {},
        modules=modules,
        quantity=_quantity(first(data, "module.quantity"), len(modules)),
        protocols=tuple(dict.fromkeys(_protocols(data))),
        assigned=bool(data.get("protocols") or data.get("assigned_protocols")),
        project_id=text(first(data, "pm_project_id", "metadata.project_code")),
        purchase_order=text(first(data, "purchase_order", "metadata.purchase_order")),
        priority=text(first(data, "testing.priority", "priority")),
        manager=data.get("assigned_pm") or {},
        created_at=text(data.get("created_at")),
        delivery_date=text(first(data, "requested_delivery_date", "testing.requested_delivery_date", "delivery_date")),
        raw=data,
    )


def _quantity(said: Any, known: int) -> int:
    """Return how many modules are announced, also where a number came as text; else as many as are known."""
    number = text(said).removesuffix(".0")
    return int(number) if number.isdecimal() else known


def _modules(data: Mapping[str, Any]) -> Iterable[Module]:
    listed = data.get("modules")
    if listed:
        for module in listed:
            yield Module(text(first(module, "serial_number", "module_id")), module)
        return
    shared = data.get("module") or {}
    details = {name: value for name, value in shared.items() if name not in {"serial_numbers", "quantity"}}
    for serial in shared.get("serial_numbers") or ():
        yield Module(text(serial), details)


def _protocols(data: Mapping[str, Any]) -> Iterable[str]:
    assigned = data.get("protocols") or data.get("assigned_protocols") or first(data, "testing.protocols") or ()
    for protocol in assigned:
        yield text(protocol.get("protocol_id") if isinstance(protocol, Mapping) else protocol)


def read_execution(execution: Mapping[str, Any], results: Mapping[str, Any] | None = None) -> Execution:
    """Read an execution, together with its results where they are known.

    Args:
        execution: what ``GET /executions/{id}`` or a listing says.
        results: what ``GET /executions/{id}/results`` says; its words win where both speak of the same.
    """
    data = {**execution, **{name: value for name, value in (results or {}).items() if value is not None}}
    return Execution(
        execution_id=text(first(data, "execution_id", "id")),
        protocol_id=text(data.get("protocol_id")),
        serial_number=text(first(data, "module_id", "module_serial_number", "module.serial_number", "serial_number")),
        sr_id=first(data, "sr_id", "sr.id", "service_request.id"),
        status=text(data.get("status")).upper(),
        qc_status=text(first(data, "results.qc_status", "qc_status", "results.pass_fail.overall", "pass_fail.overall")),
        started_at=text(first(data, "started_at", "start_time")),
        completed_at=text(first(data, "completed_at", "end_time")),
        operator=_operator(data),
        equipment=tuple(_equipment(data)),
        measurements=tuple(_measurements(data)),
        criteria=tuple(_criteria(data)),
        raw=data,
    )


def _operator(data: Mapping[str, Any]) -> Mapping[str, Any]:
    operator = first(data, "operator", "operator_id")
    if isinstance(operator, Mapping):
        return operator
    return {} if operator is None else {"id": operator}


def _equipment(data: Mapping[str, Any]) -> Iterable[str]:
    used = first(data, "equipment_used", "equipment") or ()
    for item in used.values() if isinstance(used, Mapping) else used:
        yield text(item.get("id") if isinstance(item, Mapping) else item)


def _measurements(data: Mapping[str, Any]) -> Iterable[Measurement]:
    measured = first(data, "results.measurements", "measurements") or ()
    named = measured.items() if isinstance(measured, Mapping) else ((m.get("parameter"), m) for m in measured)
    seen = set()
    for parameter, said in named:
        seen.add(parameter)
        details = said if isinstance(said, Mapping) else {"value": said}
        yield Measurement(
            parameter=text(parameter),
            value=details.get("value"),
            unit=text(details.get("unit")),
            uncertainty=details.get("uncertainty"),
            qc_status=text(details.get("qc_status")),
        )
    for name, (parameter, unit) in _DERIVED.items():
        value = first(data, f"results.analysis.{name}", f"analysis.{name}")
        if value is not None and parameter not in seen:
            yield Measurement(parameter, value, unit)


def _criteria(data: Mapping[str, Any]) -> Iterable[Criterion]:
    for criterion in first(data, "results.pass_fail.criteria", "pass_fail.criteria") or ():
        yield Criterion(text(criterion.get("parameter")), text(criterion.get("result")), criterion)
