"""Where the vendor's file of Business Central is wrong, and what an invoice goes through besides its first posting.

The file is of the API v1.0; the facts about v2.0 are from the vendor's reference of it
(MicrosoftDocs/dynamics365smb-devitpro-pb, api-reference/v2.0/resources).
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.contract.erp import TODAY, ErpSite
from tests.live.prism import Document, Mend

FILE = "business-central-v1.openapi.yaml"
INVOICES = "/companies(8e7e27f3-0c16-4a5e-9a54-2d1d6d2b7d11)/salesInvoices"
HEADS = ("salesInvoice", "salesCreditMemo")
LINES = ("salesInvoiceLine", "salesCreditMemoLine")
SPOKEN = (*HEADS, *LINES, "customer", "companyInformation")
DAYS = ("invoiceDate", "creditMemoDate", "dueDate")


def dates(document: Document) -> None:
    """Let the days of a document be dates."""
    for schema in _objects(document, HEADS):
        for name in DAYS:
            if name in schema["properties"]:
                schema["properties"][name]["format"] = "date"


def fields_of_v2(document: Document) -> None:
    """Add the fields that v2.0 has besides."""
    for schema in _objects(document, HEADS):
        schema["properties"]["postingDate"] = {"type": "string", "format": "date"}
    for schema in _objects(document, LINES):
        schema["properties"]["lineObjectNumber"] = {"type": "string"}


def lines_of_requests(document: Document) -> None:
    """Let a request have the lines that the answer has."""
    for head, line in zip(HEADS, LINES, strict=True):
        _request(document, head)["properties"][f"{line}s"] = {"type": "array", "items": _request(document, line)}


def line_addresses(document: Document) -> None:
    """Write the id of a line without quotes."""
    paths = document["paths"]
    document["paths"] = {path.replace("('{", "({").replace("}')", "})"): spec for path, spec in paths.items()}


def closed(document: Document) -> None:
    """Let objects have no other properties than those that are listed; answers have OData's version, too."""
    for schema in _objects(document, SPOKEN):
        schema["additionalProperties"] = False
    for name in SPOKEN:
        document["components"]["schemas"][name]["properties"]["@odata.etag"] = {"type": "string"}


MENDS = (
    Mend("days are date-time in it, and dates in the reference and in its examples, 0001-01-01 where empty", dates),
    Mend("v1.0 lacks postingDate and lineObjectNumber, which the reference of v2.0 has", fields_of_v2),
    Mend("the body of a new document lacks its lines, which its answer has and OData takes with it", lines_of_requests),
    Mend("the id of a line is text in v1.0, and a GUID in v2.0, which OData writes without quotes", line_addresses),
    Mend("objects are open in it, and Business Central refuses properties that it doesn't have", closed),
)


def _request(document: Document, name: str) -> Document:
    schema: Document = document["components"]["requestBodies"][name]["content"]["application/json"]["schema"]
    return schema


def _objects(document: Document, names: tuple[str, ...]) -> Iterator[Document]:
    """Return the schemas of what is answered and of what is sent."""
    for name in names:
        yield document["components"]["schemas"][name]
        yield _request(document, name)


def bill(site: ErpSite) -> None:
    """Bill a new customer: change the draft and its lines, post it, and give a part of it back."""
    with site.client() as erp:
        assert erp.identity()
        customer = str(erp.create_customer("Customer of the file", email="invoices@customer.example")["id"])
        first = site.invoice(customer, "350.00")
        more = {**site.invoice(customer, "10.00", "20.00"), "reference": first["reference"]}
        fewer = {**more, "line_items": more["line_items"][1:], "po_number": "PO-2"}
        for wanted in (first, more, fewer):
            report = erp.create_invoices([wanted])
            report.raise_for_waiting()
        (invoice_id,) = report.external_ids().values()
        erp.post_invoice(invoice_id, erp.get_invoice(invoice_id)["total"])
        assert erp.get_invoice_status(invoice_id) == "POSTED"
        terms = {"currency": "EUR", "tax_rate": site.tax_rate, "customer_id": customer}
        key = f"{first['reference']}/{site.protocols[1]}"
        assert erp.create_credit_note(invoice_id, key, TODAY, fewer["line_items"], "withdrawn", **terms)["id"]
