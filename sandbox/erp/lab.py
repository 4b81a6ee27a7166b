"""The work of people that the ERP shows: an invoice is paid or cancelled, a customer exists already."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.responses import Response

from sandbox.control import allowed
from sandbox.erp import models
from sandbox.erp.api import Rec
from sandbox.problems import reply

router = APIRouter(prefix="/_sandbox", dependencies=[Depends(allowed)])


@router.post("/customers")
async def add_customer(body: models.CustomerIn, records: Rec) -> Response:
    """Let a customer be known."""
    return reply(records.create_customer(body), 201)


@router.post("/invoices/{identity}/pay")
async def pay(identity: str, body: models.PayIn, records: Rec) -> Response:
    """Let the money for a posted invoice come in."""
    return reply(records.pay_invoice(identity, body.at))


@router.post("/invoices/{identity}/cancel")
async def cancel(identity: str, records: Rec) -> Response:
    """Let somebody cancel a draft."""
    return reply(records.cancel_invoice(identity))
