"""The QMS's REST API, under ``/api``."""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from sandbox.auth import Principal, require
from sandbox.paging import Page
from sandbox.problems import not_found, reply
from sandbox.qms import models
from sandbox.qms.records import QmsRecords, without_content
from sandbox.routes import add_bulk, add_read, add_search, api_router, records_of

router = api_router("/api")


Rec = Annotated[QmsRecords, Depends(records_of)]
NcReader = Annotated[Principal, Depends(require("read:nc"))]
NcWriter = Annotated[Principal, Depends(require("write:nc"))]
CapaReader = Annotated[Principal, Depends(require("read:capa"))]
CapaWriter = Annotated[Principal, Depends(require("write:capa"))]
Auditor = Annotated[Principal, Depends(require("read:audit"))]
Recorder = Annotated[Principal, Depends(require("write:audit"))]


@router.post("/nc-reports")
async def create_nc(body: models.NcIn, records: Rec, _: NcWriter) -> Response:
    """Open a non-conformance."""
    return reply(records.report(body), 201)


@router.get("/nc-reports")
async def list_ncs(query: Annotated[models.ReportQuery, Query()], records: Rec, _: NcReader) -> Response:
    """List non-conformances."""
    return reply(records.ncs.listing(query))


add_read(router, "/nc-reports", "read:nc", attrgetter("ncs"))


@router.put("/nc-reports/{identity}")
async def change_nc(identity: str, body: models.NcIn, records: Rec, _: NcWriter) -> Response:
    """Change an open non-conformance."""
    with records.store.transaction():
        return reply(records.change(records.ncs, identity, body))


@router.post("/capas")
async def create_capa(body: models.CapaIn, records: Rec, _: CapaWriter) -> Response:
    """Open a CAPA."""
    return reply(records.raise_capa(body), 201)


@router.get("/capas")
async def list_capas(query: Annotated[models.ReportQuery, Query()], records: Rec, _: CapaReader) -> Response:
    """List CAPAs."""
    return reply(records.capas.listing(query))


add_read(router, "/capas", "read:capa", attrgetter("capas"))


@router.put("/capas/{identity}")
async def change_capa(identity: str, body: models.CapaIn, records: Rec, _: CapaWriter) -> Response:
    """Change an open CAPA."""
    with records.store.transaction():
        return reply(records.change(records.capas, identity, body))


@router.post("/capas/{identity}/attachments")
async def attach(identity: str, body: models.FileIn, records: Rec, _: CapaWriter) -> Response:
    """Attach a file to a CAPA."""
    return reply(records.attach(identity, body), 201)


@router.get("/capas/{identity}/attachments")
async def list_files(identity: str, query: Annotated[Page, Query()], records: Rec, _: CapaReader) -> Response:
    """List the files of a CAPA."""
    page = records.files.listing(query, capa_id=records.capas.get(identity)["id"])
    return reply({**page, "data": [without_content(file) for file in page["data"]]})


@router.get("/capas/{identity}/attachments/{file}/content")
async def read_file(identity: str, file: str, records: Rec, _: CapaReader) -> Response:
    """Return the bytes of a file."""
    if records.file(file)["capa_id"] != identity:
        raise not_found("Attachment", file)
    content, content_type = records.content(file)
    return Response(content, media_type=content_type)


@router.post("/audit-events")
async def log(body: models.EventIn, records: Rec, _: Recorder) -> Response:
    """Keep an audit event."""
    return reply(records.log(body), 201)


add_bulk(router, "/audit-events", "write:audit", models.EventIn, QmsRecords.log)
add_search(router, "/audit-events", "read:audit", attrgetter("events"))


@router.get("/audit-events")
async def list_events(query: Annotated[models.EventQuery, Query()], records: Rec, _: Auditor) -> Response:
    """List audit events in the order in which they came."""
    return reply(records.events.listing(query))
