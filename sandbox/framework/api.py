"""The framework's REST API, under ``/api/v1``: service requests, protocols, executions, users."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from sandbox import catalogue, physics
from sandbox.auth import Authenticator, Principal, require
from sandbox.framework import models
from sandbox.framework.records import MANAGER, FrameworkRecords, event_view, execution_view, load, request_view
from sandbox.framework.work import ExecutionPlan, plan_one
from sandbox.paging import listing
from sandbox.problems import HttpProblem, not_found, reply
from sandbox.routes import Anyone, records_of
from sandbox.times import now, parse, stamp

router = APIRouter(prefix="/api/v1")


async def authenticator_of(request: Request) -> Authenticator:
    """Return the authenticator, which knows the framework's users."""
    authenticator: Authenticator = request.app.state.system.authenticator
    return authenticator


Rec = Annotated[FrameworkRecords, Depends(records_of)]
Callers = Annotated[Authenticator, Depends(authenticator_of)]
Planner = Annotated[Principal, Depends(require("create_service_requests"))]
Auditor = Annotated[Principal, Depends(require("read_audit"))]
Operator = Annotated[Principal, Depends(require("execute_protocols"))]


@router.post("/auth/login")
async def login(body: models.LoginIn, callers: Callers) -> Response:
    """Hand out tokens for a user's password."""
    principal = callers.by_password(callers.users, body.username, body.password)
    if principal is None:
        raise HttpProblem(401, "AUTHENTICATION_FAILED", "User name or password is wrong")
    return _tokens(callers, principal)


@router.post("/auth/refresh")
async def refresh(body: models.Refresh, callers: Callers) -> Response:
    """Hand out new tokens for a refresh token."""
    principal = callers.redeem(body.refresh_token)
    if principal is None:
        raise HttpProblem(401, "TOKEN_EXPIRED", "The refresh token is unknown, used or expired")
    return _tokens(callers, principal)


def _tokens(callers: Authenticator, principal: Principal) -> Response:
    return reply(
        {
            "access_token": callers.issue(principal),
            "token_type": "bearer",
            "expires_in": int(callers.lifetime),
            "refresh_token": callers.issue_refresh(principal),
        }
    )


@router.post("/service-requests")
async def create_service_request(body: models.ServiceRequestIn, records: Rec, who: Planner) -> Response:
    """Create a service request."""
    _known_protocols(body.testing.protocols)
    row = records.create_service_request(body.model_dump(exclude_none=True), who.name)
    records.note(who.name, "data_create", "service_request", row["id"], None, row["sr_number"])
    names = ("id", "sr_number", "status", "created_at", "estimated_completion")
    return reply({**{name: row[name] for name in names}, "assigned_pm": MANAGER}, 201)


@router.get("/service-requests")
async def list_service_requests(
    query: Annotated[models.ServiceRequestQuery, Query()], records: Rec, _: Anyone
) -> Response:
    """List service requests."""
    conditions = [
        ("status = ?", query.status),
        ("json_extract(customer, '$.name') = ?", query.customer),
        ("date(created_at) >= ?", query.from_date),
        ("date(created_at) <= ?", query.to_date),
        ("updated_at >= ?", query.updated_from),
    ]
    return reply(listing(records.store, "*", "service_requests", [*conditions, ("gone < ?", 2)], query, request_view))


@router.get("/service-requests/{sr_id}")
async def read_service_request(sr_id: int, records: Rec, _: Anyone) -> Response:
    """Return a service request."""
    row = records.service_request(sr_id)
    return reply({**request_view(row), "protocols": records.protocol_states(row)})


@router.put("/service-requests/{sr_id}")
async def change_service_request(sr_id: int, body: models.ServiceRequestChange, records: Rec, who: Planner) -> Response:
    """Change a service request's status or its wanted tests."""
    with records.store.transaction():
        row = records.service_request(sr_id)
        if body.testing:
            change = body.testing.model_dump(exclude_none=True)
            _known_protocols(change.get("protocols", []))
            testing = orjson.dumps({**load(row, "testing"), **change}).decode()
            sql = "UPDATE service_requests SET testing = ?, updated_at = ? WHERE id = ?"
            records.store.execute(sql, (testing, now(), sr_id))
            records.note(who.name, "data_update", "service_request", sr_id, row["testing"], testing)
        if body.status:
            records.move(sr_id, body.status, who.name)
    row = records.service_request(sr_id)
    return reply({name: row[name] for name in ("id", "sr_number", "status", "updated_at")})


@router.delete("/service-requests/{sr_id}")
async def delete_service_request(sr_id: int, records: Rec, who: Planner) -> Response:
    """Delete a service request."""
    row = records.service_request(sr_id)
    records.note(who.name, "data_delete", "service_request", sr_id, row["sr_number"], None)
    records.store.execute("UPDATE service_requests SET gone = 2, updated_at = ? WHERE id = ?", (now(), sr_id))
    return Response(status_code=204)


@router.get("/protocols")
async def list_protocols(_: Anyone) -> Response:
    """List all protocols."""
    every = [_protocol_view(protocol) for protocol in catalogue.protocols().values()]
    return reply({"total": len(every), "protocols": every})


@router.get("/protocols/{protocol_id}")
async def read_protocol(protocol_id: str, _: Anyone) -> Response:
    """Return a protocol."""
    protocol = _protocol(protocol_id)
    equipment = [
        {"type": name, "calibration_required": True, "calibration_interval_months": 12} for name in protocol.equipment
    ]
    return reply(
        {
            **_protocol_view(protocol),
            "description": f"{protocol.name} according to {protocol.standard}: {protocol.parameters}",
            "parameters": {"irradiance": {"value": 1000, "unit": "W/m²", "tolerance": 20}},
            "measurements": physics.declared(protocol),
            "pass_fail_criteria": {"power_tolerance": {"min": -3, "max": 5, "unit": "%"}},
            "equipment_required": equipment,
        }
    )


@router.get("/protocols/{protocol_id}/template")
async def read_template(protocol_id: str, _: Anyone) -> Response:
    """Return a protocol's data sheet."""
    protocol = _protocol(protocol_id)
    template = {"title": protocol.name, "fields": physics.declared(protocol)}
    return reply({"protocol_id": protocol_id, "version": "1.0", "template": template})


@router.post("/protocols/{protocol_id}/execute")
async def execute(protocol_id: str, body: models.Execute, records: Rec, who: Operator) -> Response:
    """Start an execution."""
    protocol = _protocol(protocol_id)
    serials = load(records.service_request(body.sr_id), "module").get("serial_numbers") or []
    if body.module_id not in serials:
        detail = {"field": "module_id", "message": "is no module of this service request"}
        raise HttpProblem(422, "VALIDATION_ERROR", "The request is not valid", details=[detail])
    started = now()
    identity = plan_one(records, body.sr_id, body.module_id, protocol, ExecutionPlan())
    sql = (
        "UPDATE executions SET operator_id = ?, equipment = ?, parameters = ?, status = 'RUNNING', started_at = ?,"
        " updated_at = ? WHERE execution_id = ?"
    )
    equipment, parameters = (orjson.dumps(each).decode() for each in (body.equipment, body.parameters))
    records.store.execute(sql, (body.operator_id, equipment, parameters, started, started, identity))
    records.note(who.name, "protocol_execute", "execution", identity, None, protocol_id)
    records.reach(body.sr_id, "TESTING_IN_PROGRESS", "system")
    estimate = stamp(parse(started) + timedelta(hours=protocol.duration_hours))
    answer = {"execution_id": identity, "protocol_id": protocol_id, "status": "RUNNING", "started_at": started}
    return reply({**answer, "estimated_completion": estimate}, 202)


@router.get("/executions")
async def list_executions(query: Annotated[models.ExecutionQuery, Query()], records: Rec, _: Anyone) -> Response:
    """List executions that have begun, without their measurements."""
    conditions = [
        ("gone = ?", 0),
        ("executions.status != ?", "PLANNED"),
        ("sr_id = ?", query.sr_id),
        ("executions.status = ?", query.status),
        ("executions.status = 'COMPLETE' AND qc_status = ?", query.qc_status),
        ("completed_at >= ?", query.completed_from),
        ("executions.updated_at >= ?", query.updated_from),
    ]
    table = "executions JOIN service_requests ON id = sr_id"
    return reply(listing(records.store, "executions.*, sr_number", table, conditions, query, execution_view))


@router.get("/executions/{execution_id}")
async def read_execution(execution_id: int, records: Rec, _: Anyone) -> Response:
    """Return an execution with its measurements as a list."""
    row = records.execution(execution_id)
    measurements: list[dict[str, Any]] = []
    curve = None
    if row["status"] == "COMPLETE":
        results = json.loads(row["results"])
        measured = results["measurements"]
        curve = None if "iv_curve_data" in results else physics.iv_curve(measured)
        measurements = [
            {"timestamp": row["completed_at"], "parameter": name, "value": each["value"], "unit": each.get("unit")}
            for name, each in measured.items()
        ]
    step = {"COMPLETE": "done", "STOPPED": "stopped"}.get(row["status"], "measuring")
    traced = {"iv_curve_data": curve} if curve else {}
    return reply({**execution_view(row), "current_step": step, "measurements": measurements, **traced})


@router.post("/executions/{execution_id}/stop")
async def stop_execution(execution_id: int, records: Rec, _: Operator) -> Response:
    """Stop an execution that is running."""
    if records.execution(execution_id)["status"] != "RUNNING":
        raise HttpProblem(409, "PROTOCOL_EXECUTION_FAILED", f"Execution {execution_id} is not running")
    at = now()
    sql = "UPDATE executions SET status = 'STOPPED', updated_at = ? WHERE execution_id = ?"
    records.store.execute(sql, (at, execution_id))
    return reply({"execution_id": execution_id, "status": "STOPPED", "stopped_at": at})


@router.get("/executions/{execution_id}/results")
async def read_results(execution_id: int, records: Rec, _: Anyone) -> Response:
    """Return the results of an execution that is complete."""
    row = records.execution(execution_id)
    if row["status"] != "COMPLETE":
        raise HttpProblem(409, "EXECUTION_NOT_COMPLETE", f"Execution {execution_id} is {row['status']}")
    return reply(
        {
            "execution_id": execution_id,
            "protocol_id": row["protocol_id"],
            "status": row["status"],
            "completed_at": row["completed_at"],
            "results": orjson.Fragment(row["results"]),
        }
    )


@router.get("/audit-events")
async def list_audit_events(query: Annotated[models.AuditQuery, Query()], records: Rec, _: Auditor) -> Response:
    """List audit events in the order of their ids."""
    table = "audit_events LEFT JOIN users ON users.username = audit_events.username"
    conditions = [("audit_events.id >= ?", query.from_id)]
    return reply(listing(records.store, "audit_events.*, users.id AS user_id", table, conditions, query, event_view))


@router.get("/users")
async def list_users(query: Annotated[models.UserQuery, Query()], records: Rec, _: Anyone) -> Response:
    """List users."""
    page = listing(records.store, "*", "users", [("role = ?", query.role)], query, _user_view)
    return reply({"total": page["total"], "users": page["data"]})


@router.get("/users/me")
async def me(records: Rec, who: Anyone) -> Response:
    """Return the caller."""
    row = records.store.row("SELECT * FROM users WHERE username = ?", (who.name,))
    if row is None:
        raise not_found("User", who.name)
    return reply({**_user_view(row), "permissions": sorted(who.scopes)})


def _user_view(row: Any) -> dict[str, Any]:
    return {**dict(row), "active": bool(row["active"])}


def _protocol(protocol_id: str) -> catalogue.Protocol:
    protocol = catalogue.protocols().get(protocol_id)
    if protocol is None:
        raise not_found("Protocol", protocol_id)
    return protocol


def _protocol_view(protocol: catalogue.Protocol) -> dict[str, Any]:
    return {
        "protocol_id": protocol.protocol_id,
        "name": protocol.name,
        "category": protocol.category,
        "standard": protocol.standard,
        "duration_hours": protocol.duration_hours,
        "equipment_required": list(protocol.equipment),
    }


def _known_protocols(wanted: list[str]) -> None:
    unknown = [each for each in wanted if each not in catalogue.protocols()]
    if unknown:
        details = [{"field": "testing.protocols", "message": f"{each} is not a protocol"} for each in unknown]
        raise HttpProblem(422, "VALIDATION_ERROR", "The request is not valid", details=details)
