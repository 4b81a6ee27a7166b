"""The control endpoints that every system has under ``/_sandbox/``: faults, request log, counts."""

from __future__ import annotations

import hmac
import ipaddress
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from sandbox.faults import FaultRule
from sandbox.problems import HttpProblem, reply
from sandbox.system import System


async def system_of(request: Request) -> System:
    """Return the system that serves this request."""
    system: System = request.app.state.system
    return system


async def allowed(request: Request, system: Annotated[System, Depends(system_of)]) -> None:
    """Let only callers on this machine pass that know the sandbox key."""
    host = request.client.host if request.client else ""
    if not host or not ipaddress.ip_address(host).is_loopback:
        raise HttpProblem(403, "PERMISSION_DENIED", "The sandbox is controlled from its own machine only")
    if not hmac.compare_digest(request.headers.get("x-sandbox-key", "").encode(), system.control_key.encode()):
        raise HttpProblem(403, "PERMISSION_DENIED", "X-Sandbox-Key is missing or wrong")


router = APIRouter(prefix="/_sandbox", dependencies=[Depends(allowed)])
TheSystem = Annotated[System, Depends(system_of)]


@router.get("/faults")
async def list_faults(system: TheSystem) -> Response:
    """Return the rules and how often each struck."""
    return reply(system.faults.report())


@router.put("/faults")
async def replace_faults(rules: list[FaultRule], system: TheSystem) -> Response:
    """Put these rules in the place of all others."""
    system.faults.replace(rules)
    return reply(system.faults.report())


@router.delete("/faults")
async def delete_faults(system: TheSystem) -> Response:
    """Remove all rules."""
    system.faults.replace([])
    return Response(status_code=204)


@router.get("/requests")
async def list_requests(system: TheSystem, since: int = 0) -> Response:
    """Return the requests after number ``since``."""
    return reply(system.log.read(since))


@router.delete("/requests")
async def delete_requests(system: TheSystem) -> Response:
    """Forget all requests."""
    system.log.clear()
    return Response(status_code=204)


@router.get("/rate_violations")
async def rate_violations(system: TheSystem) -> Response:
    """Return how many requests came before a ``Retry-After`` allowed, and which."""
    early = system.log.early()
    return reply({"count": len(early), "requests": early})


@router.get("/counts")
async def counts(system: TheSystem) -> Response:
    """Return rows by table, and the business keys that occur more than once."""
    system.log.flush()
    return reply({table: _count(system, table, columns) for table, columns in system.business_keys.items()})


def _count(system: System, table: str, columns: tuple[str, ...]) -> dict[str, Any]:
    key = ", ".join(columns)
    doubles = system.store.rows(f"SELECT {key}, count(*) AS copies FROM {table} GROUP BY {key} HAVING copies > 1")  # noqa: S608
    rows = system.store.value(f"SELECT count(*) FROM {table}")  # noqa: S608
    return {"rows": rows, "duplicates": [dict(row) for row in doubles]}
