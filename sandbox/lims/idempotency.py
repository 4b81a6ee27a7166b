"""The LIMS's ``Idempotency-Key``: work that was done under a key is not done again under it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from sandbox.lims.records import LimsRecords
from sandbox.problems import HttpProblem, reply


def once(records: LimsRecords, request: Request, body: BaseModel, work: Callable[[], tuple[int, Any]]) -> Response:
    """Do the work; once only for each ``Idempotency-Key`` when the LIMS is set to honour them.

    Args:
        records: the LIMS's records, which hold the keys.
        request: has the key in a header.
        body: of the request; a key goes with one body only.
        work: returns status and data of the response.
    """
    key = request.headers.get("idempotency-key")
    if not key or not request.app.state.idempotency:
        status, data = work()
        return reply(data, status)
    digest = hashlib.sha256(f"{request.method} {request.url.path} {body.model_dump_json()}".encode()).hexdigest()
    row = records.store.row("SELECT * FROM idempotency WHERE key = ?", (key,))
    if row is None:
        status, data = work()
        answer = reply(data, status, {"Idempotency-Replayed": "false"})
        records.store.execute("INSERT INTO idempotency VALUES (?,?,?,?)", (key, digest, status, bytes(answer.body)))
        return answer
    if row["request"] != digest:
        raise HttpProblem(422, "IDEMPOTENCY_KEY_REUSED", "The Idempotency-Key was used for another request")
    return Response(row["body"], row["status"], {"Idempotency-Replayed": "true"}, "application/json")
