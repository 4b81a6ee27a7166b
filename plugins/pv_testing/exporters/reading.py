"""Reads the tests of a service request from the framework, with the digits of every number as they came."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from pv_testing.core.errors import DataError
from pv_testing.core.sync import run
from pv_testing.domain.reading import read_execution
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.status import COMPLETE
from pv_testing.exporters.raw import Point, points
from pv_testing.integrations.framework import FrameworkClient, gather_bounded
from pv_testing.samples.results import named


class Points(Protocol):
    """Gives the raw data of executions, by their ids."""

    def get(self, execution_id: str, default: tuple[()], /) -> Iterable[Point]:
        """Return the raw data of an execution, or ``default``."""


class ReadPoints:
    """Reads the raw data of an execution when it is asked for, and keeps none of it.

    Args:
        framework: where it is.
        executions: the executions.
    """

    def __init__(self, framework: FrameworkClient, executions: Sequence[Execution]) -> None:
        self._framework = framework
        self._executions = {each.execution_id: each for each in executions}

    def get(self, execution_id: str, default: tuple[()], /) -> Iterable[Point]:
        """Return the raw data of an execution."""
        execution = self._executions.get(execution_id)
        return default if execution is None else points(run(_details(self._framework, execution)))


@dataclass(frozen=True, slots=True)
class Dossier:
    """A service request with its executions.

    Attributes:
        request: the service request.
        executions: all that have begun, by their ids; those that are complete with their results.
        protocols: the framework's protocols by identifier.
        points: gives the raw data of an execution by its id, ``points.get(id, ())``; nothing where none are asked for.
    """

    request: ServiceRequest
    executions: tuple[Execution, ...]
    protocols: Mapping[str, Mapping[str, Any]]
    points: Points

    def protocol_name(self, execution: Execution) -> str:
        """Return the name of an execution's protocol; empty where the framework knows none."""
        return str(self.protocols.get(execution.protocol_id, {}).get("name") or "")


async def read(framework: FrameworkClient, sr_id: int | str, *, raw: bool = False) -> Dossier:
    """Read a service request with its executions and their results.

    Args:
        framework: the client that reads them.
        sr_id: the framework's id of the request, or its number.
        raw: read curves and time series as well.

    Raises:
        DataError: there is no such request (``SR_UNKNOWN``).
    """
    request = await _request(framework, sr_id)
    protocols, users = await framework.aprotocols(), await framework.ausers()
    listed = await framework.alist("list_executions", sr_id=request.id)
    rows = sorted(listed, key=lambda row: (len(str(row["execution_id"])), str(row["execution_id"])))
    executions = await gather_bounded([_execution(framework, row) for row in rows])
    read_points = ReadPoints(framework, executions if raw else ())
    return Dossier(request, tuple(named(each, users) for each in executions), protocols, read_points)


async def _request(framework: FrameworkClient, sr_id: int | str) -> ServiceRequest:
    wanted = str(sr_id).strip()
    if not wanted.isdigit():
        listed = await framework.alist("list_service_requests")
        wanted = next((str(each["id"]) for each in listed if each["sr_number"] == wanted), "")
    request = await framework.aservice_request(int(wanted)) if wanted else None
    if request is None:
        message = "no such service request; check its number"
        raise DataError(message, system="framework", key=str(sr_id), code="SR_UNKNOWN")
    return request


async def _execution(framework: FrameworkClient, row: Mapping[str, Any]) -> Execution:
    if row.get("status") != COMPLETE:
        return read_execution(row)
    return read_execution(row, await _exactly(framework, "get_execution_results", row["execution_id"]))


async def _details(framework: FrameworkClient, execution: Execution) -> dict[str, Any]:
    details = await _exactly(framework, "get_execution", execution.raw["execution_id"])
    return {**details, **execution.raw, "measurements": details.get("measurements")}


async def _exactly(framework: FrameworkClient, operation: str, execution_id: Any) -> dict[str, Any]:
    """Return the framework's answer about an execution, with ``398.50`` kept digit by digit."""
    body = await (await framework.provider()).body(operation, execution_id=execution_id)
    content = json.loads(body, parse_float=Decimal, parse_constant=str)
    return content if isinstance(content, dict) else {}
