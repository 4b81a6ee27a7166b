"""The ERP's REST API, under ``/api``."""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from sandbox.auth import Principal, require
from sandbox.erp import models
from sandbox.erp.records import ErpRecords
from sandbox.problems import reply
from sandbox.routes import add_bulk, add_read, add_search, api_router, records_of

router = api_router("/api")


Rec = Annotated[ErpRecords, Depends(records_of)]
Reader = Annotated[Principal, Depends(require("read:invoices"))]
Biller = Annotated[Principal, Depends(require("write:invoices"))]
CustomerReader = Annotated[Principal, Depends(require("read:customers"))]
CustomerWriter = Annotated[Principal, Depends(require("write:customers"))]
StockReader = Annotated[Principal, Depends(require("read:stock"))]
Storekeeper = Annotated[Principal, Depends(require("write:stock"))]


@router.post("/customers")
async def create_customer(body: models.CustomerIn, records: Rec, _: CustomerWriter) -> Response:
    """Create a customer."""
    return reply(records.create_customer(body), 201)


@router.get("/customers")
async def list_customers(query: Annotated[models.CustomerQuery, Query()], records: Rec, _: CustomerReader) -> Response:
    """List customers."""
    return reply(records.customers.listing(query))


add_read(router, "/customers", "read:customers", attrgetter("customers"))


@router.post("/invoices")
async def create_invoice(body: models.InvoiceIn, records: Rec, _: Biller) -> Response:
    """Create an invoice, as a draft."""
    return reply(records.create_invoice(body), 201)


@router.get("/invoices")
async def list_invoices(query: Annotated[models.InvoiceQuery, Query()], records: Rec, _: Reader) -> Response:
    """List invoices."""
    return reply(records.invoices.listing(query))


add_read(router, "/invoices", "read:invoices", attrgetter("invoices"))


@router.put("/invoices/{identity}")
async def change_invoice(identity: str, body: models.InvoiceIn, records: Rec, _: Biller) -> Response:
    """Change a draft."""
    with records.store.transaction():
        return reply(records.change_invoice(identity, body))


@router.post("/invoices/{identity}/post")
async def post_invoice(identity: str, body: models.PostIn, records: Rec, _: Biller) -> Response:
    """Post a draft."""
    with records.store.transaction():
        return reply(records.post_invoice(identity, body.total))


@router.post("/credit-notes")
async def create_credit_note(body: models.CreditNoteIn, records: Rec, _: Biller) -> Response:
    """Post a credit note."""
    with records.store.transaction():
        return reply(records.create_credit_note(body), 201)


@router.get("/credit-notes")
async def list_credit_notes(query: Annotated[models.KeyQuery, Query()], records: Rec, _: Reader) -> Response:
    """List credit notes."""
    return reply(records.credit_notes.listing(query))


@router.post("/stock-movements")
async def move(body: models.MovementIn, records: Rec, _: Storekeeper) -> Response:
    """Keep a stock movement."""
    with records.store.transaction():
        return reply(records.move(body), 201)


add_bulk(router, "/stock-movements", "write:stock", models.MovementIn, ErpRecords.move)
add_search(router, "/stock-movements", "read:stock", attrgetter("movements"))


@router.get("/stock-movements")
async def list_movements(query: Annotated[models.KeyQuery, Query()], records: Rec, _: StockReader) -> Response:
    """List stock movements."""
    return reply(records.movements.listing(query))


@router.post("/consumables")
async def draw(body: models.ConsumableIn, records: Rec, _: Storekeeper) -> Response:
    """Keep a draw of a consumable."""
    return reply(records.draw(body), 201)


add_bulk(router, "/consumables", "write:stock", models.ConsumableIn, ErpRecords.draw)
add_search(router, "/consumables", "read:stock", attrgetter("consumables"))
