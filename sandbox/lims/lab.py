"""The work of people in the laboratory that the LIMS shows: samples arrive."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.responses import Response

from sandbox.control import allowed
from sandbox.lims.api import Rec
from sandbox.lims.models import STATUSES, ReceiptIn, SampleStatusIn
from sandbox.lims.records import sample_id
from sandbox.problems import HttpProblem, reply

router = APIRouter(prefix="/_sandbox", dependencies=[Depends(allowed)])


@router.post("/receive")
async def receive(receipt: ReceiptIn, records: Rec) -> Response:
    """Let samples arrive; those that came before stay as they are."""
    sql, values = _chosen(receipt)
    rows = records.store.rows(f"SELECT number FROM samples WHERE status = ? AND {sql}", (STATUSES[0], *values))  # noqa: S608
    with records.store.transaction():
        for row in rows:
            records.move(sample_id(row["number"]), SampleStatusIn(status="Received", notes="Arrived"), "laboratory")
    return reply({"received": [sample_id(row["number"]) for row in rows]})


def _chosen(receipt: ReceiptIn) -> tuple[str, list[object]]:
    if receipt.all:
        return "1", []
    if receipt.ids is not None:
        return "number IN (SELECT value FROM json_each(?))", [str([int(identity[4:]) for identity in receipt.ids])]
    if receipt.project_id is not None:
        return "project_id = ?", [receipt.project_id]
    raise HttpProblem(422, "VALIDATION_ERROR", "Say project_id, ids or all")
