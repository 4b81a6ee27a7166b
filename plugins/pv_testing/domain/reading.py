"""Reads service requests and executions from the framework, whichever of its documented shapes they come in.

The framework's documents disagree with each other (one module object or many, measurements as a list or by name, three
names for the serial number of a module). Every shape that they show is read here, and nowhere else; any other one is
refused by the name of its record, so that it stops no other. What no record hangs on is read as far as it goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from pv_testing.core.errors import DataError, redact
from pv_testing.core.reasons import Reason
from pv_testing.domain.records import Criterion, Execution, Measurement, Module, ServiceRequest

_SHOWN = 60
_MOST_MODULES = 1_000_000
_PARTS = ("customer", "module")
_PROTOCOLS = ("protocols", "assigned_protocols", "testing.protocols")
_SERIALS = ("module_id", "module_serial_number", "module.serial_number", "serial_number")
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


def mapped(value: Any, what: str) -> Mapping[str, Any]:
    """Return a part of a record that has parts of its own; ``None`` has none.

    Args:
        value: as the framework said it.
        what: names record and field for the reader.

    Raises:
        DataError: it is something else, such as text (``NOT_AN_OBJECT``).
    """
    if value is None or isinstance(value, Mapping):
        return value or {}
    raise _misshapen(what, value, "an object", Reason.NOT_AN_OBJECT)


def listed(value: Any, what: str) -> Sequence[Any]:
    """Return a list of a record; ``None`` is an empty one, and text is none, or its characters would become records.

    Args:
        value: as the framework said it.
        what: names record and field for the reader.

    Raises:
        DataError: it is something else (``NOT_A_LIST``).
    """
    if value is None or isinstance(value, (list, tuple)):
        return value or ()
    raise _misshapen(what, value, "a list", Reason.NOT_A_LIST)


def _serial(value: Any, name: str) -> str:
    """Return a module's serial number; one with parts of its own is none, and none is ever invented."""
    if isinstance(value, (Mapping, list)):
        raise _misshapen(f"{name}: a serial number", value, "text", Reason.NOT_TEXT)
    return text(value)


def _misshapen(what: str, value: Any, wanted: str, code: str) -> DataError:
    message = f"{what} is {redact(repr(value), _SHOWN)}, where {wanted} belongs; correct it in the framework"
    return DataError(message, system="framework", code=code)


def read_service_request(data: Mapping[str, Any]) -> ServiceRequest:
    """Read a service request.

    Args:
        data: what ``GET /service-requests/{id}`` says.

    Raises:
        DataError: it has no number, so that nothing about it could be found again, or a part of it isn't of any shape
            that is known.
    """
    data = mapped(data, "a service request")
    sr_number = text(data.get("sr_number"))
    if not sr_number:
        raise DataError(
            f"service request {data.get('id')} has no sr_number", system="framework", code=Reason.SR_NUMBER_MISSING
        )
    name = f"service request {sr_number}"
    parts = {part: mapped(data.get(part), f"{name}: {part}") for part in _PARTS}
    modules = tuple(_modules(data, parts["module"], name))
    announced = text(parts["module"].get("quantity"))
    return ServiceRequest(
        id=_id(data.get("id"), name),
        sr_number=sr_number,
        status=text(data.get("status")),
        customer=parts["customer"],
        modules=modules,
        quantity=_quantity(announced, len(modules)),
        protocols=tuple(dict.fromkeys(_protocols(data, name))),
        assigned=bool(data.get("protocols") or data.get("assigned_protocols")),
        project_id=text(first(data, "pm_project_id", "metadata.project_code")),
        purchase_order=text(first(data, "purchase_order", "metadata.purchase_order")),
        priority=text(first(data, "testing.priority", "priority")),
        manager=_manager(data.get("assigned_pm"), name),
        created_at=text(data.get("created_at")),
        delivery_date=text(first(data, "requested_delivery_date", "testing.requested_delivery_date", "delivery_date")),
        announced=redact(announced, _SHOWN),
        raw=data,
    )


def _quantity(announced: str, known: int) -> int | None:
    """Return how many modules are announced; as many as are known where nothing is said, ``None`` for no number.

    Another number than the one that was meant would be billed, so nothing is made of ``12 pcs``, ``12.5`` or ``1,200``.
    """
    if not announced:
        return known
    try:
        number = Decimal(announced)
    except InvalidOperation:
        return None
    possible = number.is_finite() and 0 <= number <= _MOST_MODULES and number == number.to_integral_value()
    return int(number) if possible else None


def _manager(value: Any, name: str) -> Mapping[str, Any]:
    """Return the project manager, of whom the framework may give a mere number or name."""
    if isinstance(value, str):
        return {"name": text(value)} if text(value) else {}
    return {"id": value} if isinstance(value, int) else mapped(value, f"{name}: assigned_pm")


def _id(value: Any, name: str) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError, OverflowError):
        raise _misshapen(f"{name}: id", value, "a whole number", Reason.NOT_WHOLE) from None


def _modules(data: Mapping[str, Any], shared: Mapping[str, Any], name: str) -> Iterable[Module]:
    own = listed(data.get("modules"), f"{name}: modules")
    for item in own:
        module = mapped(item, f"{name}: one of its modules")
        yield Module(_serial(first(module, "serial_number", "module_id"), name), module)
    if own:
        return
    details = dict(shared)
    details.pop("serial_numbers", None)
    details.pop("quantity", None)
    for serial in listed(shared.get("serial_numbers"), f"{name}: module.serial_numbers"):
        yield Module(_serial(serial, name), details)


def _protocols(data: Mapping[str, Any], name: str) -> Iterable[str]:
    lists = (listed(first(data, place), f"{name}: {place}") for place in _PROTOCOLS)
    protocols = next(filter(None, lists), ())
    if not protocols:
        # A list there may be that of the only protocols, which must not be lost; mere words, such as a norm, are none.
        testing = data.get("testing")
        mapped(None if isinstance(testing, str) else testing, f"{name}: testing")
    for protocol in protocols:
        yield text(protocol.get("protocol_id") if isinstance(protocol, Mapping) else protocol)


def read_execution(execution: Mapping[str, Any], results: Mapping[str, Any] | None = None) -> Execution:
    """Read an execution, together with its results where they are known.

    Args:
        execution: what ``GET /executions/{id}`` or a listing says.
        results: what ``GET /executions/{id}/results`` says; its words win where both speak of the same.

    Raises:
        DataError: a part of it isn't of any shape that is known.
    """
    execution = mapped(execution, "an execution")
    execution_id = text(first(execution, "execution_id", "id"))
    name = f"execution {execution_id}"
    known_results = mapped(results, f"{name}: its results")
    data = dict(execution)
    data.update((field, value) for field, value in known_results.items() if value is not None)
    data = _with_verdict(data)
    return Execution(
        execution_id=text(first(data, "execution_id", "id")),
        protocol_id=text(data.get("protocol_id")),
        serial_number=_serial(first(data, *_SERIALS), name),
        sr_id=first(data, "sr_id", "sr.id", "service_request.id"),
        status=text(data.get("status")).upper(),
        qc_status=text(first(data, "results.qc_status", "qc_status", "results.pass_fail.overall", "pass_fail.overall")),
        started_at=text(first(data, "started_at", "start_time")),
        completed_at=text(first(data, "completed_at", "end_time")),
        operator=_operator(data),
        equipment=tuple(_equipment(data, name)),
        measurements=tuple(_measurements(data, name)),
        criteria=tuple(_criteria(data, name)),
        raw=data,
    )


def _with_verdict(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data with a mere word in ``pass_fail`` as the overall verdict, where it is read from."""
    results = data.get("results")
    if isinstance(results, Mapping) and isinstance(results.get("pass_fail"), str):
        data = {**data, "results": {**results, "pass_fail": {"overall": results["pass_fail"]}}}
    if isinstance(data.get("pass_fail"), str):
        data = {**data, "pass_fail": {"overall": data["pass_fail"]}}
    return data


def _operator(data: Mapping[str, Any]) -> Mapping[str, Any]:
    operator = first(data, "operator", "operator_id")
    if isinstance(operator, Mapping):
        return operator
    return {} if operator is None else {"id": operator}


def _equipment(data: Mapping[str, Any], name: str) -> Iterable[str]:
    used = first(data, "equipment_used", "equipment")
    for item in used.values() if isinstance(used, Mapping) else listed(used, f"{name}: equipment"):
        yield text(item.get("id") if isinstance(item, Mapping) else item)


def _by_parameter(measured: Any, name: str) -> Iterable[tuple[Any, Any]]:
    if isinstance(measured, Mapping):
        yield from measured.items()
        return
    for item in listed(measured, f"{name}: measurements"):
        measurement = mapped(item, f"{name}: one of its measurements")
        yield measurement.get("parameter"), measurement


def _measurements(data: Mapping[str, Any], name: str) -> Iterable[Measurement]:
    seen = set()
    for name_given, measured in _by_parameter(first(data, "results.measurements", "measurements"), name):
        parameter = text(name_given)
        seen.add(parameter)
        details = measured if isinstance(measured, Mapping) else {"value": measured}
        yield Measurement(
            parameter=parameter,
            value=details.get("value"),
            unit=text(details.get("unit")),
            uncertainty=details.get("uncertainty"),
            qc_status=text(details.get("qc_status")),
        )
    for derived, (parameter, unit) in _DERIVED.items():
        value = first(data, f"results.analysis.{derived}", f"analysis.{derived}")
        if value is not None and parameter not in seen:
            yield Measurement(parameter, value, unit)


def _criteria(data: Mapping[str, Any], name: str) -> Iterable[Criterion]:
    for place in ("results.pass_fail", "pass_fail"):
        mapped(first(data, place), f"{name}: {place}")
    for item in listed(first(data, "results.pass_fail.criteria", "pass_fail.criteria"), f"{name}: criteria"):
        criterion = mapped(item, f"{name}: one of its criteria")
        yield Criterion(text(criterion.get("parameter")), text(criterion.get("result")), criterion)
