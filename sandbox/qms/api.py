"""The QMS's REST API, under ``/api``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from sandbox.auth import Principal, require
from sandbox.bulk import Keys, Many, each
from sandbox.paging import Page
from sandbox.problems import not_found, reply
from sandbox.qms import models
from sandbox.qms.records import Records, without_content

router = APIRouter(prefix="/api")


async def records_of(request: Request) -> Records:
    """Return the records of the QMS that serves this request."""
    records: Records = request.app.state.records
    return records


Rec = Annotated[Records, Depends(records_of)]
Anyone = Annotated[Principal, Depends(require())]
NcReader = Annotated[Principal, Depends(require("read:nc"))]
NcWriter = Annotated[Principal, Depends(require("write:nc"))]
CapaReader = Annotated[Principal, Depends(require("read:capa"))]
CapaWriter = Annotated[Principal, Depends(require("write:capa"))]
Auditor = Annotated[Principal, Depends(require("read:audit"))]
Recorder = Annotated[Principal, Depends(require("write:audit"))]


@router.get("/me")
async def me(who: Anyone) -> Response:
    """Say who is asking."""
    return reply({"user": who.name, "scopes": sorted(who.scopes)})


@router.post("/nc-reports")
async def create_nc(body: models.NcIn, records: Rec, _: NcWriter) -> Response:
    """Open a non-conformance."""
    return reply(_nc(records.report(body)), 201)


@router.get("/nc-reports")
async def list_ncs(query: Annotated[models.ReportQuery, Query()], records: Rec, _: NcReader) -> Response:
    """List non-conformances."""
    found = records.ncs.listing(query, external_id=query.external_id, status=query.status)
    return reply({**found, "data": [_nc(report) for report in found["data"]]})


@router.get("/nc-reports/{identity}")
async def read_nc(identity: str, records: Rec, _: NcReader) -> Response:
    """Return a non-conformance."""
    return reply(_nc(records.ncs.get(identity)))


@router.put("/nc-reports/{identity}")
async def change_nc(identity: str, body: models.NcIn, records: Rec, _: NcWriter) -> Response:
    """Change an open non-conformance."""
    with records.store.transaction():
        return reply(_nc(records.change(records.ncs, identity, body)))


@router.post("/capas")
async def create_capa(body: models.CapaIn, records: Rec, _: CapaWriter) -> Response:
    """Open a CAPA."""
    return reply(_capa(records.raise_capa(body)), 201)


@router.get("/capas")
async def list_capas(query: Annotated[models.ReportQuery, Query()], records: Rec, _: CapaReader) -> Response:
    """List CAPAs."""
    found = records.capas.listing(query, external_id=query.external_id, status=query.status)
    return reply({**found, "data": [_capa(capa) for capa in found["data"]]})


@router.get("/capas/{identity}")
async def read_capa(identity: str, records: Rec, _: CapaReader) -> Response:
    """Return a CAPA."""
    return reply(_capa(records.capas.get(identity)))


@router.put("/capas/{identity}")
async def change_capa(identity: str, body: models.CapaIn, records: Rec, _: CapaWriter) -> Response:
    """Change an open CAPA."""
    with records.store.transaction():
        return reply(_capa(records.change(records.capas, identity, body)))


@router.post("/capas/{identity}/attachments")
async def attach(identity: str, body: models.FileIn, records: Rec, _: CapaWriter) -> Response:
    """Attach a file to a CAPA."""
    return reply(records.attach(identity, body), 201)


@router.get("/capas/{identity}/attachments")
async def list_files(identity: str, query: Annotated[Page, Query()], records: Rec, _: CapaReader) -> Response:
    """List the files of a CAPA."""
    found = records.files.listing(query, capa_id=records.capas.get(identity)["id"])
    return reply({**found, "data": [without_content(file) for file in found["data"]]})


@router.get("/capas/{identity}/attachments/{file}/content")
async def read_file(identity: str, file: str, records: Rec, _: CapaReader) -> Response:
    """Return the bytes of a file."""
    if records.file(file)["capa_id"] != identity:
        raise not_found("Attachment", file)
    content, content_type = records.content(file)
    return Response(content, media_type=content_type)


@router.post("/audit-events/bulk")
async def log_many(body: Many, records: Rec, _: Recorder) -> Response:
    """Keep up to 500 audit events; each succeeds or fails on its own."""
    with records.store.transaction():
        return reply({"results": each(body.items, models.EventIn, _logging(records))})


@router.post("/audit-events")
async def log(body: models.EventIn, records: Rec, _: Recorder) -> Response:
    """Keep an audit event."""
    return reply(_logging(records)(body), 201)


@router.post("/audit-events/search")
async def find_events(body: Keys, records: Rec, _: Auditor) -> Response:
    """Find audit events by business key."""
    return reply({"data": [_event(event) for event in records.events.find(body.external_ids)]})


@router.get("/audit-events")
async def list_events(query: Annotated[models.EventQuery, Query()], records: Rec, _: Auditor) -> Response:
    """List audit events in the order in which they came."""
    found = records.events.listing(query, external_id=query.external_id, source=query.source)
    return reply({**found, "data": [_event(event) for event in found["data"]]})


def _logging(records: Records) -> Any:
    return lambda event: _event(records.log(event))


def _event(event: dict[str, Any]) -> dict[str, Any]:
    """Return an audit event, which has no status that could change."""
    return {name: value for name, value in event.items() if name != "status"}


def _nc(report: dict[str, Any]) -> dict[str, Any]:
    """Return a non-conformance with the name that the integration guide gives its id."""
    return {**report, "nc_id": report["id"]}


def _capa(capa: dict[str, Any]) -> dict[str, Any]:
    return {**capa, "capa_id": capa["id"]}
