"""Test results as XML of our own schema ``lims_v2``; only a valid document leaves this module."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import IO, Any, NamedTuple

from pv_testing.core.cells import is_number, text_of
from pv_testing.core.errors import ConfigError, DataError
from pv_testing.core.places import SCHEMAS, project_root
from pv_testing.core.reasons import Reason
from pv_testing.domain.records import Execution, Module
from pv_testing.domain.status import COMPLETE
from pv_testing.exporters.contents import verdict, when
from pv_testing.exporters.raw import Point
from pv_testing.exporters.reading import Dossier
from pv_testing.samples.result_sets import operator_name
from pv_testing.transports.files.chunks import Progress, chunks
from pv_testing.transports.files.columns import rendered
from pv_testing.transports.files.xml_writer import DECLARATION, markup

_UTC = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)+")
NAMESPACE = "urn:pv-testing:lims:2"
_TEST = "ExecutionId ProtocolId ProtocolName StartedAt CompletedAt Operator Equipment Status Series.Point"
_RESULT = "Analyte Value Finding Unit Uncertainty Status"
ELEMENTS = (
    *("Number", "Status", "Customer", "PurchaseOrder"),
    *("Sample.SerialNumber", "Sample.Manufacturer", "Sample.Model"),
    *(f"Sample.Test.{name}" for name in _TEST.split()),
    *(f"Sample.Test.Result.{name}" for name in _RESULT.split()),
)
"""The elements with a value, by their path below the root."""


class _Target(NamedTuple):
    """What is written to: elements by ``xml``, many points at once by ``file``."""

    xml: Any
    file: IO[bytes]
    progress: Progress


def write_lims_v2(file: IO[bytes], dossier: Dossier) -> None:
    """Write what was tested as XML that is valid against ``include/schemas/lims_v2.xsd``.

    It is written as it comes, so that memory doesn't grow with the points of curves and time series.

    Args:
        file: where to; a file of this machine, which is read again for its validation.
        dossier: the service request; of its executions, those that are complete.

    Raises:
        DataError: something is missing or contradicts the schema (``XML_INVALID``).
    """
    from lxml import etree

    request, progress = dossier.request, Progress(dossier.request.sr_number)
    file.write(DECLARATION)
    root = {"nsmap": {None: NAMESPACE}}
    with (
        etree.xmlfile(file, encoding="UTF-8", buffered=False) as xml,
        xml.element(_tag("ServiceRequest"), {"version": "2.0"}, **root),
    ):
        _add(xml, "Number", request.sr_number)
        _add(xml, "Status", request.status)
        _add(xml, "Customer", request.customer.get("name"), optional=True)
        _add(xml, "PurchaseOrder", request.purchase_order, optional=True)
        for module in _modules(dossier):
            _sample(_Target(xml, file, progress), dossier, module)
    file.flush()
    _validate(file.name, request.sr_number)


def _modules(dossier: Dossier) -> list[Module]:
    """Return the modules of the request, and those that only an execution names."""
    known = {module.serial_number: module for module in dossier.request.modules if module.serial_number}
    named = {each.serial_number: Module(each.serial_number) for each in dossier.executions if each.status == COMPLETE}
    return list({**named, **known}.values())


def _sample(to: _Target, dossier: Dossier, module: Module) -> None:
    xml = to.xml
    with xml.element(_tag("Sample")):
        _add(xml, "SerialNumber", module.serial_number)
        _add(xml, "Manufacturer", module.details.get("manufacturer"), optional=True)
        _add(xml, "Model", module.details.get("model"), optional=True)
        for execution in dossier.executions:
            if execution.status == COMPLETE and execution.serial_number == module.serial_number:
                _test(to, dossier, execution)


def _test(to: _Target, dossier: Dossier, execution: Execution) -> None:
    xml = to.xml
    with xml.element(_tag("Test")):
        _add(xml, "ExecutionId", execution.execution_id)
        _add(xml, "ProtocolId", execution.protocol_id)
        _add(xml, "ProtocolName", dossier.protocol_name(execution), optional=True)
        _add(xml, "StartedAt", when(execution.started_at, execution), optional=True)
        _add(xml, "CompletedAt", when(execution.completed_at, execution))
        _add(xml, "Operator", operator_name(execution.operator), optional=True)
        for equipment in execution.equipment:
            _add(xml, "Equipment", equipment)
        _add(xml, "Status", verdict(execution).value)
        for each in execution.measurements:
            with xml.element(_tag("Result")):
                _add(xml, "Analyte", each.parameter)
                _add(xml, "Value" if _is_decimal(text_of(each.value)) else "Finding", each.value)
                _add(xml, "Unit", each.unit, optional=True)
                _add(xml, "Uncertainty", each.uncertainty, optional=True)
                _add(xml, "Status", verdict(execution, each).value)
        to.progress.add(len(execution.measurements))
        _series(to, dossier, execution)


def _series(to: _Target, dossier: Dossier, execution: Execution) -> None:
    all_points = dossier.points.get(execution.execution_id, ())
    for name, values in groupby(all_points, key=lambda point: point.series):
        with to.xml.element(_tag("Series"), {"name": text_of(name)}):
            to.xml.flush()
            for (has_unit, has_time), points in groupby(values, key=_shape):
                write_points(to.file, points, execution, to.progress, has_unit=has_unit, has_time=has_time)


def _shape(point: Point) -> tuple[bool, bool]:
    return bool(point.unit), bool(point.timestamp)


def write_points(
    file: IO[bytes],
    points: Iterable[Point],
    execution: Execution,
    progress: Progress,
    *,
    has_unit: bool,
    has_time: bool,
) -> None:
    """Write points that all have a unit and a point in time, or all have none.

    Args:
        file: where to.
        points: the points.
        execution: theirs, for messages.
        progress: counts the rows of the whole file.
        has_unit: whether they have a unit.
        has_time: whether they have a point in time.
    """
    for chunk in chunks(points, progress):
        _, numbers, quantities, values, units, times = zip(*chunk, strict=True)
        parts: list[str | Sequence[str]] = ['<Point number="', markup(numbers), '" quantity="', markup(quantities)]
        if has_unit:
            parts += ['" unit="', markup(units)]
        if has_time:
            parts += ['" timestamp="', markup(_instants(times, execution))]
        file.write(rendered([*parts, '">', markup(values), "</Point>\n"], len(chunk)).encode())


def _instants(timestamps: Sequence[str], execution: Execution) -> Sequence[str]:
    """Return points in time in UTC; those that are written so already are only recognised, as there may be millions."""
    if _UTC.fullmatch("".join(timestamps)):
        return timestamps
    return [when(each, execution) for each in timestamps]


def _is_decimal(text: str) -> bool:
    return is_number(text) and "e" not in text.lower()


def _add(xml: Any, name: str, value: Any, *, optional: bool = False) -> None:
    from lxml import etree

    text = text_of(value)
    if text or not optional:
        element = etree.Element(_tag(name), nsmap={None: NAMESPACE})
        element.text = text or None
        xml.write(element)


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _validate(path: str, sr_number: str) -> None:
    """Hold a file against the schema as it is read, so that memory doesn't grow with it."""
    from lxml import etree

    schema = etree.XMLSchema(_source())
    try:
        parser = etree.iterparse(path, events=("end",), schema=schema, resolve_entities=False, no_network=True)
        for _, element in parser:
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        reason = f"line {error.lineno}: {error.msg}".replace(f"{{{NAMESPACE}}}", "")
        raise DataError(f"no file is written: {reason}", key=sr_number, code=Reason.XML_INVALID) from None


@functools.cache
def _source() -> Any:
    from lxml import etree

    path = project_root() / SCHEMAS / "lims_v2.xsd"
    try:
        return etree.parse(path, etree.XMLParser(no_network=True, resolve_entities=False))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error}", code=Reason.NO_SCHEMA) from None
