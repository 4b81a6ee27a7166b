"""The rest of the framework's REST API: reports, its own integrations, webhooks."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import Response

from sandbox.auth import Principal, require
from sandbox.framework import models
from sandbox.framework.api import Planner, Rec
from sandbox.framework.records import FrameworkRecords
from sandbox.problems import not_found, reply
from sandbox.routes import Anyone
from sandbox.times import now, parse, stamp

router = APIRouter(prefix="/api/v1")
Reporter = Annotated[Principal, Depends(require("view_reports"))]
_PAGES = 24


@router.post("/reports/generate")
async def generate_report(body: models.ReportIn, records: Rec, _: Reporter) -> Response:
    """Start the making of a report."""
    records.service_request(body.sr_id)
    at = now()
    sql = "INSERT INTO reports (sr_id, report_type, format, generated_at) VALUES (?,?,?,?)"
    identity = _insert(records, sql, (body.sr_id, body.report_type, body.format, at))
    estimate = stamp(parse(at) + timedelta(seconds=30))
    return reply({"report_id": identity, "status": "GENERATING", "estimated_completion": estimate}, 202)


@router.get("/reports/{report_id}")
async def read_report(report_id: int, records: Rec, _: Reporter) -> Response:
    """Return a report's state; it is complete by the time anyone asks."""
    row = _report(records, report_id)
    expires = stamp(parse(row["generated_at"]) + timedelta(days=7))
    return reply(
        {
            **dict(row),
            "status": "COMPLETE",
            "file_size": len(_pdf(report_id)),
            "pages": _PAGES,
            "download_url": f"/api/v1/reports/{report_id}/download",
            "expires_at": expires,
        }
    )


@router.get("/reports/{report_id}/download")
async def download_report(report_id: int, records: Rec, _: Reporter) -> Response:
    """Return a report's file."""
    row = _report(records, report_id)
    suffix = {"pdf": "pdf", "excel": "xlsx", "csv": "csv"}[row["format"]]
    headers = {"Content-Disposition": f'attachment; filename="report-{report_id}.{suffix}"'}
    return Response(_pdf(report_id), 200, headers, "application/pdf")


@router.get("/reports")
async def list_reports(sr_id: int, records: Rec, _: Reporter) -> Response:
    """List a request's reports."""
    rows = records.store.rows("SELECT * FROM reports WHERE sr_id = ? ORDER BY 1", (sr_id,))
    reports = []
    for row in rows:
        report = {name: row[name] for name in ("report_id", "report_type", "format", "generated_at")}
        reports.append({**report, "status": "COMPLETE"})
    return reply({"total": len(reports), "reports": reports})


@router.post("/integrations/lims/sync")
async def sync_lims(body: models.LimsSync, records: Rec, _: Planner) -> Response:
    """Pretend to upload results to a LIMS by the framework's own means; only the call is kept."""
    records.service_request(body.sr_id)
    identity = _keep(records, "lims_sync", body)
    answer: dict[str, Any] = {"sync_id": identity, "status": "SUCCESS", "synced_at": now()}
    return reply({**answer, "lims_sample_ids": [], "records_synced": 0})


@router.post("/integrations/qms/nc-report")
async def report_nc(body: models.NcReport, records: Rec, _: Planner) -> Response:
    """Pretend to report a non-conformance by the framework's own means; only the call is kept."""
    records.service_request(body.sr_id)
    number = f"NC-{now()[:4]}-{_keep(records, 'nc_report', body):04d}"
    url = f"https://qms.example/nc/{number}"
    return reply({"nc_report_id": number, "status": "CREATED", "created_at": now(), "qms_url": url}, 201)


@router.post("/integrations/pm/update")
async def update_pm(body: models.PmUpdate, records: Rec, _: Planner) -> Response:
    """Pretend to update a project task by the framework's own means; only the call is kept."""
    records.service_request(body.sr_id)
    _keep(records, "pm_update", body)
    return reply({"sync_status": "SUCCESS", "pm_task_url": f"https://pm.example/tasks/{body.task_id}"})


@router.post("/webhooks")
async def create_webhook(body: models.WebhookIn, records: Rec, _: Anyone) -> Response:
    """Register a webhook."""
    at = now()
    sql = "INSERT INTO webhooks (url, events, secret, created_at) VALUES (?,?,?,?)"
    identity = _insert(records, sql, (body.url, orjson.dumps(body.events).decode(), body.secret, at))
    answer = {"webhook_id": identity, "url": body.url, "events": body.events}
    return reply({**answer, "active": True, "created_at": at}, 201)


def _insert(records: FrameworkRecords, sql: str, values: tuple[Any, ...]) -> int:
    with records.store.transaction():
        records.store.execute(sql, values)
        return int(records.store.value("SELECT last_insert_rowid()"))


def _keep(records: FrameworkRecords, kind: str, body: BaseModel) -> int:
    return _insert(
        records, "INSERT INTO integrations (kind, body, at) VALUES (?,?,?)", (kind, body.model_dump_json(), now())
    )


def _report(records: FrameworkRecords, report_id: int) -> sqlite3.Row:
    row = records.store.row("SELECT * FROM reports WHERE report_id = ?", (report_id,))
    if row is None:
        raise not_found("Report", report_id)
    return row


def _pdf(report_id: int) -> bytes:
    return f"%PDF-1.4\n% Report {report_id}\n%%EOF\n".encode()
