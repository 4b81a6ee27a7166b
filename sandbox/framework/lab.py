"""The work in the laboratory that the framework shows: requests move on, tests run, results are corrected."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends
from starlette.responses import Response

from sandbox.control import allowed
from sandbox.framework import models, telling, work
from sandbox.framework.api import Rec
from sandbox.problems import reply

router = APIRouter(prefix="/_sandbox", dependencies=[Depends(allowed)])


@router.post("/service_requests/{sr_id}/advance")
async def advance(sr_id: int, body: models.Advance, records: Rec) -> Response:
    """Let a request reach a status; one that is beyond it stays as it is."""
    with records.store.transaction():
        records.reach(sr_id, body.status, "laboratory")
    row = records.service_request(sr_id)
    return reply({"id": sr_id, "sr_number": row["sr_number"], "status": row["status"]})


@router.post("/service_requests/{sr_id}/vanish")
async def vanish(sr_id: int, records: Rec) -> Response:
    """Delete a request half-way: listings still show it, but it can't be read any more."""
    records.service_request(sr_id)
    records.store.execute("UPDATE service_requests SET gone = 1 WHERE id = ?", (sr_id,))
    return Response(status_code=204)


@router.post("/service_requests/{sr_id}/withdraw")
async def withdraw(sr_id: int, body: models.Withdrawal, records: Rec) -> Response:
    """Withdraw a protocol of a request."""
    records.withdraw(sr_id, body.protocol_id)
    return Response(status_code=204)


@router.post("/run_executions")
async def run_executions(body: models.RunIn, records: Rec) -> Response:
    """Run executions of one request, or of all."""
    chosen = [body.sr_id] if body.sr_id is not None else _every(records)
    changed = sum(work.run(records, sr_id, fraction=body.fraction, complete=body.complete) for sr_id in chosen)
    return reply({"service_requests": len(chosen), "executions": changed})


@router.post("/executions/{execution_id}/correct")
async def correct(execution_id: int, body: models.Correction, records: Rec) -> Response:
    """Put re-analysed measurements in the place of earlier ones."""
    work.correct(records, execution_id, body.measurements)
    return Response(status_code=204)


@router.post("/executions/{execution_id}/decide")
async def decide(execution_id: int, body: models.VerdictsIn, records: Rec) -> Response:
    """Put other verdicts in the place of an execution's earlier ones."""
    work.decide(records, execution_id, body)
    return Response(status_code=204)


@router.post("/tell")
async def tell(body: models.Telling, records: Rec) -> Response:
    """Send an event to each registered webhook that wants it, and return the statuses of the answers."""
    statuses = []
    for url, secret in telling.webhooks_of(records, body.event):
        content = telling.signed(body.event, body.data, secret)
        statuses += [await asyncio.to_thread(telling.send, url, content) for _ in range(body.times)]
    return reply({"statuses": statuses})


def _every(records: Rec) -> list[int]:
    return [row["id"] for row in records.store.rows("SELECT id FROM service_requests WHERE NOT gone ORDER BY 1")]
