"""The laboratory's records in the project's own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Module:
    """One photovoltaic module of a service request.

    Attributes:
        serial_number: as on the label; empty where the framework doesn't know it yet.
        details: manufacturer, model, type, power rating and whatever else the framework says.
    """

    serial_number: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """What a customer has asked the laboratory to test.

    Attributes:
        id: the framework's number of it.
        sr_number: its business key, an opaque string such as ``SR-2025-0123``.
        status: one of the framework's eight states.
        customer: name, contact person, e-mail and so on.
        modules: one for each place in the list of serial numbers, also where the number is missing.
        quantity: how many modules the customer has announced; ``None`` where that isn't said as a whole number.
        protocols: identifiers of the assigned protocols, or the requested ones until they are assigned.
        assigned: whether the protocols have been assigned.
        project_id: of the project that it belongs to in project management; empty where none is known.
        purchase_order: the customer's number of the order; empty where none is known.
        priority: such as ``normal`` or ``urgent``.
        manager: id, name and e-mail of the project manager, as far as known.
        created_at: as given.
        delivery_date: the day by which the customer wants the reports, as given.
        announced: the number of modules, as given.
        raw: everything that the framework said.
    """

    id: int
    sr_number: str
    status: str
    customer: Mapping[str, Any]
    modules: tuple[Module, ...]
    quantity: int | None
    protocols: tuple[str, ...]
    assigned: bool = False
    project_id: str = ""
    purchase_order: str = ""
    priority: str = ""
    manager: Mapping[str, Any] = field(default_factory=dict)
    created_at: str = ""
    delivery_date: str = ""
    announced: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured or derived quantity.

    Attributes:
        parameter: its name in the framework, such as ``Pmax``.
        value: a number with the digits it came with, or text for a finding.
        unit: as given; empty where the framework gave none.
        uncertainty: in the same unit, where known.
        qc_status: the verdict that the framework gives for this very quantity, where it gives one.
    """

    parameter: str
    value: Any
    unit: str = ""
    uncertainty: Any = None
    qc_status: str = ""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One pass criterion of an execution.

    Attributes:
        parameter: which quantity it is about.
        result: its verdict in the framework's words.
        raw: expected value, tolerance and measured value, as the framework said.
    """

    parameter: str
    result: str
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of one protocol on one module.

    Attributes:
        execution_id: its business key.
        protocol_id: such as ``PVTP-001``.
        serial_number: the module's; empty where the framework doesn't say.
        sr_id: the service request, where the framework says so.
        status: ``RUNNING``, ``COMPLETE``, ``STOPPED`` or another word of the framework.
        qc_status: the verdict on the whole execution in the framework's words; empty where there is none.
        started_at: as given.
        completed_at: as given; empty while it runs.
        operator: id, name and e-mail, as far as known.
        equipment: identifiers of the equipment used.
        measurements: in the framework's order.
        criteria: the pass criteria that were judged.
        raw: everything that the framework said.
    """

    execution_id: str
    protocol_id: str
    serial_number: str
    sr_id: int | None
    status: str
    qc_status: str
    started_at: str
    completed_at: str
    operator: Mapping[str, Any]
    equipment: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    criteria: tuple[Criterion, ...]
    raw: Mapping[str, Any] = field(default_factory=dict)
