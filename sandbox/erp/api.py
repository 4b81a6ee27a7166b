"""The ERP's REST API, under ``/api``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from sandbox.auth import Principal, require
from sandbox.bulk import Keys, Many, each
from sandbox.erp import models
from sandbox.erp.records import Records
from sandbox.problems import reply

router = APIRouter(prefix="/api")


async def records_of(request: Request) -> Records:
    """Return the records of the ERP that serves this request."""
    records: Records = request.app.state.records
    return records


Rec = Annotated[Records, Depends(records_of)]
Anyone = Annotated[Principal, Depends(require())]
Reader = Annotated[Principal, Depends(require("read:invoices"))]
Biller = Annotated[Principal, Depends(require("write:invoices"))]
CustomerReader = Annotated[Principal, Depends(require("read:customers"))]
CustomerWriter = Annotated[Principal, Depends(require("write:customers"))]
StockReader = Annotated[Principal, Depends(require("read:stock"))]
Storekeeper = Annotated[Principal, Depends(require("write:stock"))]


@router.get("/me")
async def me(who: Anyone) -> Response:
    """Say who is asking."""
    return reply({"user": who.name, "scopes": sorted(who.scopes)})


@router.post("/customers")
async def create_customer(body: models.CustomerIn, records: Rec, _: CustomerWriter) -> Response:
    """Create a customer."""
    return reply(records.customers.get(records.customers.add(body.name, body.model_dump())), 201)


@router.get("/customers")
async def list_customers(query: Annotated[models.CustomerQuery, Query()], records: Rec, _: CustomerReader) -> Response:
    """List customers."""
    return reply(records.customers.listing(query, external_id=query.name))


@router.get("/customers/{identity}")
async def read_customer(identity: str, records: Rec, _: CustomerReader) -> Response:
    """Return a customer."""
    return reply(records.customers.get(identity))


@router.post("/invoices")
async def create_invoice(body: models.InvoiceIn, records: Rec, _: Biller) -> Response:
    """Create an invoice, as a draft."""
    return reply(_invoice(records.create_invoice(body)), 201)


@router.get("/invoices")
async def list_invoices(query: Annotated[models.InvoiceQuery, Query()], records: Rec, _: Reader) -> Response:
    """List invoices."""
    found = records.invoices.listing(
        query, external_id=query.reference, status=query.status, customer_id=query.customer_id
    )
    return reply({**found, "data": [_invoice(invoice) for invoice in found["data"]]})


@router.get("/invoices/{identity}")
async def read_invoice(identity: str, records: Rec, _: Reader) -> Response:
    """Return an invoice."""
    return reply(_invoice(records.invoices.get(identity)))


@router.put("/invoices/{identity}")
async def change_invoice(identity: str, body: models.InvoiceIn, records: Rec, _: Biller) -> Response:
    """Change a draft."""
    with records.store.transaction():
        return reply(_invoice(records.change_invoice(identity, body)))


@router.post("/invoices/{identity}/post")
async def post_invoice(identity: str, body: models.PostIn, records: Rec, _: Biller) -> Response:
    """Post a draft."""
    with records.store.transaction():
        return reply(_invoice(records.post_invoice(identity, body.total)))


@router.post("/credit-notes")
async def create_credit_note(body: models.CreditNoteIn, records: Rec, _: Biller) -> Response:
    """Post a credit note."""
    with records.store.transaction():
        return reply(records.create_credit_note(body), 201)


@router.get("/credit-notes")
async def list_credit_notes(query: Annotated[models.KeyQuery, Query()], records: Rec, _: Reader) -> Response:
    """List credit notes."""
    return reply(records.credit_notes.listing(query, external_id=query.external_id))


@router.post("/stock-movements/bulk")
async def move(body: Many, records: Rec, _: Storekeeper) -> Response:
    """Keep up to 500 stock movements; each succeeds or fails on its own."""
    with records.store.transaction():
        return reply({"results": each(body.items, models.MovementIn, records.move)})


@router.post("/stock-movements")
async def move_one(body: models.MovementIn, records: Rec, _: Storekeeper) -> Response:
    """Keep a stock movement."""
    with records.store.transaction():
        return reply(records.move(body), 201)


@router.post("/stock-movements/search")
async def find_movements(body: Keys, records: Rec, _: StockReader) -> Response:
    """Find stock movements by business key."""
    return reply({"data": records.movements.find(body.external_ids)})


@router.get("/stock-movements")
async def list_movements(query: Annotated[models.KeyQuery, Query()], records: Rec, _: StockReader) -> Response:
    """List stock movements."""
    return reply(records.movements.listing(query, external_id=query.external_id))


@router.post("/consumables/bulk")
async def draw(body: Many, records: Rec, _: Storekeeper) -> Response:
    """Keep up to 500 draws of consumables; each succeeds or fails on its own."""

    def one(item: models.ConsumableIn) -> dict[str, Any]:
        return records.consumables.get(records.consumables.add(item.external_id, models.dumped(item)))

    with records.store.transaction():
        return reply({"results": each(body.items, models.ConsumableIn, one)})


@router.post("/consumables")
async def draw_one(body: models.ConsumableIn, records: Rec, _: Storekeeper) -> Response:
    """Keep a draw of a consumable."""
    identity = records.consumables.add(body.external_id, models.dumped(body))
    return reply(records.consumables.get(identity), 201)


@router.post("/consumables/search")
async def find_consumables(body: Keys, records: Rec, _: StockReader) -> Response:
    """Find draws of consumables by business key."""
    return reply({"data": records.consumables.find(body.external_ids)})


def _invoice(invoice: dict[str, Any]) -> dict[str, Any]:
    """Return an invoice with the name that the integration guide gives its id."""
    return {**invoice, "invoice_id": invoice["id"]}
