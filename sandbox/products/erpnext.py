"""A stand-in for ERPNext by what is documented of Frappe's REST API: customers and Sales Invoices.

It refuses what Frappe refuses: unknown items, a change of a submitted invoice, one over another's change, a second
invoice under a unique key. A refusal has its messages as JSON in JSON. A listing has no lines.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from sandbox.products.answering import Answered, Asked, serve_answers
from sandbox.products.books import TAX_PER_LINE, Books, invoice_row, is_item

TRAPS = ("deadlock", "key_not_unique")
OF_MONEY = (TAX_PER_LINE,)
TOKEN, USER = "token 1a2b3c:4d5e6f", "integration@lab.example"
BASIC = "Basic " + b64encode(TOKEN.removeprefix("token ").encode()).decode()
KEY_FIELD = "custom_pv_key"
HEAD = {
    KEY_FIELD, "customer", "company", "posting_date", "set_posting_time", "disable_rounded_total", "due_date",
    "currency", "po_no", "remarks", "items", "docstatus", "modified", "is_return", "return_against",
}  # fmt: skip
LINE = {"item_code", "description", "qty", "rate"}
CUSTOMER = {"customer_name", "email_id", "mobile_no", "customer_type"}
DAY = "2026-11-29 08:00:00."
Record = dict[str, Any]


class Refused(Exception):
    """A refusal, as Frappe words it."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        inner = json.dumps([json.dumps({"message": message, "title": "Message", "indicator": "red"})])
        content = {"exception": f"frappe.exceptions.{kind}: {message}", "exc_type": kind, "_server_messages": inner}
        self.answered = Answered(status, content)


class ErpNext:
    """One site.

    Args:
        folder: where its database is.
        traps: those that are switched on.
    """

    def __init__(self, folder: Path, traps: Collection[str]) -> None:
        self.books = Books(folder, traps)
        self._traps = frozenset(traps)
        self.origin = ""

    @property
    def section(self) -> dict[str, Any]:
        """Return the ERP's part of the configuration."""
        known = {"provider": "ERPNext", "contract": "erp_erpnext", "auth_type": "api_key", "api_key": TOKEN}
        return {**known, "base_url": self.origin}

    def know_customer(self, name: str) -> None:
        """Know a customer; the items are those of the protocols."""
        self.books.know_customer(name)

    def rows(self, kind: str) -> list[Record]:
        """Return what the site holds."""
        assert kind == "invoice"
        return [
            invoice_row(
                kept[KEY_FIELD], kept["name"], self._amounts(kept), len(kept["items"]), posted=kept["docstatus"] == 1
            )
            for kept in self.books.documents("Sales Invoice")
            if not kept.get("is_return")
        ]

    def answer(self, asked: Asked) -> Answered:
        """Answer a request."""
        if asked.headers.get("authorization") not in {TOKEN, BASIC}:
            return Refused(401, "AuthenticationError", "Invalid or missing credentials").answered
        if asked.path == "/api/method/frappe.auth.get_logged_user":
            return Answered(200, {"message": USER})
        if asked.method == "PUT" and "deadlock" in self._traps and self.books.number("writes") == 1:
            return Refused(417, "QueryDeadlockError", "Deadlock Occurred").answered
        doctype, _, name = asked.path.removeprefix("/api/resource/").partition("/")
        try:
            with self.books.transaction():
                return self._answer(asked, doctype, name)
        except Refused as refused:
            return refused.answered

    def _answer(self, asked: Asked, doctype: str, name: str) -> Answered:
        if doctype == "Customer" and not name:
            return self._customers(asked)
        if doctype != "Sales Invoice":
            raise Refused(404, "DoesNotExistError", f"DocType {doctype} not found")
        if not name and asked.method == "GET":
            shown = [self._shown(each) for each in self.books.documents(doctype)]
            return Answered(200, {"data": _listed(asked, [{**each, "items": None} for each in shown])})
        if not name:
            return Answered(200, {"data": self._insert(_checked(_document(asked), HEAD))})
        kept = next((each for each in self.books.documents(doctype) if each["name"] == name), {})
        if not kept:
            raise Refused(404, "DoesNotExistError", f"Sales Invoice {name} not found")
        if asked.method == "PUT":
            kept = self._update(kept, _checked(_document(asked), HEAD))
        return Answered(200, {"data": self._shown(kept)})

    def _customers(self, asked: Asked) -> Answered:
        if asked.method == "POST":
            body = _checked(_document(asked), CUSTOMER)
            self.books.add_customer(body["customer_name"], body)
            return Answered(200, {"data": _customer(self.books.customers()[-1])})
        return Answered(200, {"data": _listed(asked, [_customer(each) for each in self.books.customers()])})

    def _insert(self, body: Record) -> Record:
        if "key_not_unique" not in self._traps:
            for other in self.books.documents("Sales Invoice"):
                if other[KEY_FIELD] == body.get(KEY_FIELD):
                    raise Refused(417, "UniqueValidationError", f"{KEY_FIELD} must be unique")
        kept = {"name": f"ACC-SINV-2026-{self.books.number('series'):05}", "docstatus": 0, KEY_FIELD: None, **body}
        self._validate(kept)
        kept["_id"] = self.books.add("Sales Invoice", kept)
        return self._shown(self._kept(kept))

    def _update(self, kept: Record, body: Record) -> Record:
        if body.get("modified", kept["modified"]) != kept["modified"]:
            message = "Document has been modified after you have opened it. Please refresh to get the latest document."
            raise Refused(417, "TimestampMismatchError", message)
        if kept["docstatus"] != 0:
            raise Refused(417, "UpdateAfterSubmitError", "Not allowed to change a submitted Sales Invoice")
        kept = {**kept, **body}
        self._validate(kept)
        return self._kept(kept)

    def _kept(self, kept: Record) -> Record:
        kept["modified"] = f"{DAY}{self.books.number('modified'):06}"
        self.books.keep(kept["_id"], kept)
        return kept

    def _validate(self, kept: Record) -> None:
        if kept.get("customer") not in {each["name"] for each in self.books.customers()}:
            raise Refused(417, "LinkValidationError", f"Could not find Customer: {kept.get('customer')}")
        for line in kept.get("items") or ():
            _checked(line, LINE)
            if not is_item(line["item_code"]):
                raise Refused(417, "LinkValidationError", f"Could not find Row #1: Item: {line['item_code']}")
            if (line["qty"] < 0) != bool(kept.get("is_return")):
                raise Refused(417, "ValidationError", "Quantity must be negative in a return, and positive otherwise")
        if kept["docstatus"] and not kept.get("items"):
            raise Refused(417, "MandatoryError", "Items are mandatory")
        against = kept.get("return_against")
        if against and against not in {e["name"] for e in self.books.documents("Sales Invoice") if e["docstatus"] == 1}:
            raise Refused(417, "ValidationError", f"Return Against {against} must be submitted")

    def _amounts(self, kept: Mapping[str, Any]) -> tuple[Decimal, Decimal, Decimal]:
        return self.books.amounts([(line["qty"], line["rate"]) for line in kept["items"]], kept["customer"])

    def _shown(self, kept: Record) -> Record:
        net, tax, total = self._amounts(kept)
        submitted = "Return" if kept.get("is_return") else "Unpaid"
        status = {0: "Draft", 1: submitted, 2: "Cancelled"}[kept["docstatus"]]
        amounts = {"net_total": net, "total_taxes_and_charges": tax, "grand_total": total}
        return {
            "is_return": 0, **{name: value for name, value in kept.items() if name != "_id"}, "status": status,
            "customer_name": kept["customer"], "outstanding_amount": float(total) if kept["docstatus"] == 1 else 0.0,
            **{name: float(amount) for name, amount in amounts.items()},
        }  # fmt: skip


def _customer(kept: Mapping[str, Any]) -> Record:
    return {
        "customer_name": kept["name"],
        **{name: kept[name] for name in CUSTOMER if name in kept},
        "name": kept["name"],
    }


def _checked(body: Any, known: Collection[str]) -> Record:
    """Return a body; Frappe drops unknown fields without a word, so that a test must see them refused."""
    unknown = set(body) - set(known)
    if unknown:
        raise Refused(417, "ValidationError", f"The stand-in knows no field {', '.join(sorted(unknown))}")
    return dict(body)


def _document(asked: Asked) -> Record:
    """Return the document that is sent, as JSON or as JSON in the field ``data`` of a form; it may name its type."""
    if asked.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        body = json.loads(parse_qs(asked.body.decode())["data"][0])
    else:
        body = asked.json()
    return {name: value for name, value in body.items() if name not in {"doctype", "name"}}


def _listed(asked: Asked, rows: list[Record]) -> list[Record]:
    matching = rows
    for field, operator, value in json.loads(asked.query.get("filters", "[]")):
        if rows and field not in rows[0]:
            raise Refused(417, "DataError", f"Field not permitted in query: {field}")
        matching = [row for row in matching if (row[field] == value if operator == "=" else row[field] > value)]
    start, length = int(asked.query.get("limit_start", 0)), int(asked.query.get("limit_page_length", 20))
    fields = json.loads(asked.query.get("fields", '["name"]'))
    page = matching[start : start + length]
    return [_without_lines(row) if fields == ["*"] else {name: row[name] for name in fields} for row in page]


def _without_lines(row: Record) -> Record:
    return {name: value for name, value in row.items() if name != "items"}


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[ErpNext]:
    """Serve a site on 127.0.0.1.

    Args:
        folder: where its database is.
        traps: of ``TRAPS`` and ``OF_MONEY``.
        port: 0 for any that is free.
    """
    site = ErpNext(folder, traps)
    try:
        with serve_answers(site.answer, port) as site.origin:
            yield site
    finally:
        site.books.close()
