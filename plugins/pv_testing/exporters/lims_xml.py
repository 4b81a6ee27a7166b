"""Test results as XML of our own schema ``lims_v2``; only a valid document leaves this module."""

from __future__ import annotations

import functools
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pv_testing.core.cells import is_number, text_of
from pv_testing.core.errors import ConfigError, DataError
from pv_testing.core.places import SCHEMAS, project_root
from pv_testing.domain.records import Execution, Module
from pv_testing.domain.status import COMPLETE
from pv_testing.exporters.contents import verdict, when
from pv_testing.exporters.reading import Dossier
from pv_testing.samples.result_sets import operator_name

if TYPE_CHECKING:
    from lxml.etree import _Element

NAMESPACE = "urn:pv-testing:lims:2"
SHOWN = 5


def lims_v2(dossier: Dossier) -> bytes:
    """Return test results as XML that is valid against ``include/schemas/lims_v2.xsd``.

    Args:
        dossier: the service request; of its executions, those that are complete.

    Raises:
        DataError: something is missing or contradicts the schema (``XML_INVALID``).
    """
    from lxml import etree

    root: _Element = etree.Element(_tag("ServiceRequest"), {"version": "2.0"}, nsmap={None: NAMESPACE})
    request = dossier.request
    _add(root, "Number", request.sr_number)
    _add(root, "Status", request.status)
    _add(root, "Customer", request.customer.get("name"), optional=True)
    _add(root, "PurchaseOrder", request.purchase_order, optional=True)
    for module in _modules(dossier):
        _sample(root, dossier, module)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    _validate(written, request.sr_number)
    return written


def _modules(dossier: Dossier) -> list[Module]:
    """Return the modules of the request, and those that only an execution names."""
    known = {module.serial_number: module for module in dossier.request.modules if module.serial_number}
    named = {each.serial_number: Module(each.serial_number) for each in dossier.executions if each.status == COMPLETE}
    return list({**named, **known}.values())


def _sample(root: _Element, dossier: Dossier, module: Module) -> None:
    sample = _add(root, "Sample")
    _add(sample, "SerialNumber", module.serial_number)
    _add(sample, "Manufacturer", module.details.get("manufacturer"), optional=True)
    _add(sample, "Model", module.details.get("model"), optional=True)
    for execution in dossier.executions:
        if execution.status == COMPLETE and execution.serial_number == module.serial_number:
            _test(sample, dossier, execution)


def _test(sample: _Element, dossier: Dossier, execution: Execution) -> None:
    test = _add(sample, "Test")
    _add(test, "ExecutionId", execution.execution_id)
    _add(test, "ProtocolId", execution.protocol_id)
    _add(test, "ProtocolName", dossier.protocol_name(execution), optional=True)
    _add(test, "StartedAt", when(execution.started_at, execution), optional=True)
    _add(test, "CompletedAt", when(execution.completed_at, execution))
    _add(test, "Operator", operator_name(execution.operator), optional=True)
    for equipment in execution.equipment:
        _add(test, "Equipment", equipment)
    _add(test, "Status", verdict(execution).value)
    for each in execution.measurements:
        result = _add(test, "Result")
        _add(result, "Analyte", each.parameter)
        _add(result, "Value" if _is_decimal(text_of(each.value)) else "Finding", each.value)
        _add(result, "Unit", each.unit, optional=True)
        _add(result, "Uncertainty", each.uncertainty, optional=True)
        _add(result, "Status", verdict(execution, each).value)
    _series(test, dossier, execution)


def _series(test: _Element, dossier: Dossier, execution: Execution) -> None:
    for name, values in groupby(dossier.points.get(execution.execution_id, ()), key=lambda point: point.series):
        series = _add(test, "Series")
        series.set("name", text_of(name))
        for point in values:
            added = _add(series, "Point", point.value)
            attributes = {"unit": point.unit, "timestamp": when(point.timestamp, execution)}
            added.attrib.update({"number": str(point.number), "quantity": text_of(point.quantity)})
            added.attrib.update({key: text_of(value) for key, value in attributes.items() if value})


def _is_decimal(text: str) -> bool:
    return is_number(text) and "e" not in text.lower()


def _add(parent: _Element, name: str, value: Any = None, *, optional: bool = False) -> _Element:
    from lxml import etree

    text = text_of(value)
    element: _Element = etree.Element(_tag(name))
    element.text = text or None
    if text or not optional:
        parent.append(element)
    return element


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _validate(written: bytes, sr_number: str) -> None:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    schema = etree.XMLSchema(_source())
    if not schema.validate(etree.fromstring(written, parser)):
        reasons = "; ".join(f"line {entry.line}: {entry.message}" for entry in list(schema.error_log)[:SHOWN])
        raise DataError(
            f"no file is written: {reasons.replace(f'{{{NAMESPACE}}}', '')}", key=sr_number, code="XML_INVALID"
        )


@functools.cache
def _source() -> Any:
    from lxml import etree

    path = project_root() / SCHEMAS / "lims_v2.xsd"
    try:
        return etree.parse(path, etree.XMLParser(no_network=True, resolve_entities=False))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error}", code="NO_SCHEMA") from None
