"""The work of people that the QMS shows: they close non-conformances and CAPAs."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.responses import Response

from sandbox.control import allowed
from sandbox.problems import reply
from sandbox.qms import models
from sandbox.qms.api import Rec

router = APIRouter(prefix="/_sandbox", dependencies=[Depends(allowed)])


@router.post("/nc-reports/{identity}/close")
async def close_nc(identity: str, body: models.Closing, records: Rec) -> Response:
    """Close a non-conformance; refused while a CAPA on it is open."""
    with records.store.transaction():
        return reply(records.close(records.ncs, identity, body.closed_at))


@router.post("/capas/{identity}/close")
async def close_capa(identity: str, body: models.Closing, records: Rec) -> Response:
    """Close a CAPA."""
    with records.store.transaction():
        return reply(records.close(records.capas, identity, body.closed_at))
