"""A stand-in for Business Central's API, by its public documentation: customers, sales invoices and credit memos.

It takes what is documented and refuses the rest: unknown fields, read-only totals, a change without the ETag, lines of
items that it doesn't know, keys of over 35 characters. It answers under any prefix before ``companies(ID)``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

from sandbox.products.answering import Answered, Asked, serve_answers
from sandbox.products.books import TAX_PER_LINE, Books, invoice_row, is_item

TRAPS = ("new_id_on_posting", "gateway_timeout", "throttled")
OF_MONEY = (TAX_PER_LINE,)
COMPANY = "8e7e27f3-0c16-4a5e-9a54-2d1d6d2b7d11"
TOKEN = "business-central-token"  # noqa: S105 - of the stand-in
NOTHING = "00000000-0000-0000-0000-000000000000"
LONGEST = {"externalDocumentNumber": 35, "customerPurchaseOrderReference": 35, "description": 100, "displayName": 100}
HEAD = {"externalDocumentNumber", "customerNumber", "customerId", "postingDate", "dueDate", "currencyCode"}
LINE = {"lineType", "lineObjectNumber", "description", "quantity", "unitPrice"}
CUSTOMER = {"displayName", "email", "phoneNumber", "type"}
DAYS = {"invoiceDate", "creditMemoDate", "postingDate", "dueDate"}
READ_ONLY = {"totalAmountExcludingTax", "totalTaxAmount", "totalAmountIncludingTax", "status", "id", "number"}
_PATH = re.compile(
    r"/companies\((?P<company>[^)]+)\)/(?P<set>\w+)(?:\((?P<id>[^)]+)\))?"
    r"(?:/(?P<rest>Microsoft\.NAV\.post|\w+)(?:\('?(?P<line>[^')]+)'?\))?)?$"
)
_TERM = re.compile(r"(\w+) eq '((?:[^']|'')*)'")


@dataclass(frozen=True)
class Kind:
    """A kind of document: its ``lines`` and its ``date``."""

    lines: str
    date: str
    head: frozenset[str]


KINDS = {
    "salesInvoices": Kind(
        "salesInvoiceLines", "invoiceDate", frozenset(HEAD | {"invoiceDate", "customerPurchaseOrderReference"})
    ),
    "salesCreditMemos": Kind("salesCreditMemoLines", "creditMemoDate", frozenset(HEAD | {"creditMemoDate"})),
}


class Refused(Exception):
    """What Business Central answers in the place of a success."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.answered = Answered(status, {"error": {"code": code, "message": message}})


class BusinessCentral:
    """One company.

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
        return {
            "provider": "Business Central",
            "contract": "erp_business_central",
            "base_url": f"{self.origin}/v2.0/tenant/sandbox/api/v2.0/companies({COMPANY})",
            "auth_type": "bearer",
            "token": TOKEN,
        }

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Return what the company holds."""
        assert kind == "invoice"
        return [self._invoice(each) for each in self.books.documents("salesInvoices")]

    def know_customer(self, name: str) -> None:
        """Know a customer; the items are those of the protocols."""
        self.books.know_customer(name)

    def _invoice(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        posted, key = kept["status"] != "Draft", kept["externalDocumentNumber"]
        return invoice_row(key, kept["number"], self._amounts(kept), len(kept["lines"]), posted=posted)

    def _amounts(self, kept: Mapping[str, Any]) -> tuple[Decimal, Decimal, Decimal]:
        lines = [(line["quantity"], line["unitPrice"]) for line in kept["lines"]]
        return self.books.amounts(lines, kept["customerName"])

    def answer(self, asked: Asked) -> Answered:
        """Answer a request."""
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            refused = Refused(401, "Authentication_InvalidCredentials", "The server has rejected the credentials.")
            return refused.answered
        try:
            with self.books.transaction():
                answered = self._answer(asked)
        except Refused as refused:
            return refused.answered
        if "gateway_timeout" in self._traps and asked.path.endswith("Microsoft.NAV.post"):
            return Answered(504, {"error": {"code": "GatewayTimeout", "message": "The operation has timed out."}})
        return answered

    def _answer(self, asked: Asked) -> Answered:
        parts = _PATH.search(asked.path)
        if parts is None or parts["company"] != COMPANY:
            raise Refused(404, "BadRequest_NotFound", f"No HTTP resource was found that matches {asked.path}.")
        if "throttled" in self._traps and self.books.number("requests") % 7 == 3:
            return Answered(429, {"error": {"code": "TooManyRequests", "message": "Wait"}}, {"Retry-After": "0.2"})
        if parts["set"] == "customers":
            return self._customers(asked)
        if parts["set"] == "companyInformation":
            return Answered(200, {"value": [{"id": COMPANY, "displayName": "Heliotest Laboratory GmbH"}]})
        kind = KINDS.get(parts["set"])
        if kind is None:
            raise Refused(404, "BadRequest_NotFound", f"There is no {parts['set']}.")
        if parts["id"] is None:
            return (self._create if asked.method == "POST" else self._list)(asked, parts["set"])
        kept = self._one(parts["set"], parts["id"])
        if parts["rest"] is None:
            return self._document(asked, parts["set"], kept)
        if parts["rest"] == "Microsoft.NAV.post" and asked.method == "POST":
            return self._post(kept)
        if parts["rest"] == kind.lines:
            return self._line(asked, kept, parts["line"])
        raise Refused(404, "BadRequest_NotFound", f"There is no {parts['rest']}.")

    def _customers(self, asked: Asked) -> Answered:
        if asked.method == "POST":
            body = _checked(asked.json(), CUSTOMER)
            if not body.get("displayName"):
                raise Refused(400, "Application_DialogException", "Name must be filled in.")
            self.books.add_customer(body["displayName"], body)
            return Answered(201, _customer(self.books.customers()[-1]))
        customers = [_customer(each) for each in self.books.customers()]
        return Answered(200, {"value": [each for each in customers if _meets(asked, each)]})

    def _create(self, asked: Asked, name: str) -> Answered:
        kind = KINDS[name]
        body = dict(_checked(asked.json(), kind.head | {kind.lines}))
        lines = [self._line_of(line) for line in body.pop(kind.lines, [])]
        kept = {
            "guid": str(uuid4()), "number": f"D{self.books.number(name):05}", "status": "Draft", "version": 1, **body,
            "customerName": self._customer_name(body), "lines": lines,
        }  # fmt: skip
        kept["_id"] = self.books.add(name, kept)
        return Answered(201, self._shown(name, kept, expand=False))

    def _list(self, asked: Asked, name: str) -> Answered:
        shown = [self._shown(name, each, expand="$expand" in asked.query) for each in self.books.documents(name)]
        return Answered(200, {"value": [each for each in shown if _meets(asked, each)]})

    def _one(self, name: str, identity: str) -> dict[str, Any]:
        for kept in self.books.documents(name):
            if kept["guid"] == identity:
                return kept
        raise Refused(404, "BadRequest_ResourceNotFound", f"The {name} {identity} does not exist.")

    def _document(self, asked: Asked, name: str, kept: dict[str, Any]) -> Answered:
        if asked.method == "GET":
            return Answered(200, self._shown(name, kept, expand="$expand" in asked.query))
        _require_version(asked, _etag(kept["version"]))
        _require_draft(kept)
        if asked.method != "PATCH":
            raise Refused(405, "BadRequest_MethodNotAllowed", asked.method)
        kept.update(_checked(asked.json(), KINDS[name].head))
        kept["customerName"] = self._customer_name(kept)
        self._keep(kept)
        return Answered(200, self._shown(name, kept, expand=False))

    def _line(self, asked: Asked, kept: dict[str, Any], identity: str | None) -> Answered:
        _require_draft(kept)
        if identity is None:
            added = self._line_of(asked.json())
            kept["lines"].append(added)
            self._keep(kept)
            return Answered(201, _line_shown(kept, added))
        same = [each for each in kept["lines"] if each["id"] == identity]
        if not same:
            raise Refused(404, "BadRequest_ResourceNotFound", f"The line {identity} does not exist.")
        line: dict[str, Any] = same[0]
        _require_version(asked, _etag(line["version"]))
        if asked.method == "DELETE":
            kept["lines"].remove(line)
            self._keep(kept)
            return Answered(204)
        line.update(_checked(asked.json(), LINE), version=line["version"] + 1)
        _require_item(line)
        self._keep(kept)
        return Answered(200, _line_shown(kept, line))

    def _post(self, kept: dict[str, Any]) -> Answered:
        _require_draft(kept)
        if not kept["lines"]:
            raise Refused(400, "Application_DialogException", "There is nothing to post.")
        number = f"PS-{self.books.number('posted'):05}"
        kept.update(status="Open", number=number, draft=kept["guid"])
        if "new_id_on_posting" in self._traps:
            kept["guid"] = str(uuid4())
        self._keep(kept)
        return Answered(204)

    def _keep(self, kept: dict[str, Any]) -> None:
        kept["version"] += 1
        self.books.keep(kept["_id"], kept)

    def _line_of(self, line: Any) -> dict[str, Any]:
        made = {"id": str(uuid4()), "version": 1, "quantity": 0, "unitPrice": 0, **_checked(line, LINE)}
        _require_item(made)
        return made

    def _customer_name(self, body: Mapping[str, Any]) -> str:
        for each in map(_customer, self.books.customers()):
            if body.get("customerNumber") == each["number"]:
                return str(each["displayName"])
        raise Refused(400, "BadRequest_InvalidRequestUrl", "The customer does not exist.")

    def _shown(self, name: str, kept: Mapping[str, Any], *, expand: bool) -> dict[str, Any]:
        kind = KINDS[name]
        net, tax, total = self._amounts(kept)
        shown = {
            "@odata.etag": _etag(kept["version"]), "id": kept["guid"], "number": kept["number"],
            **{field: kept.get(field) or _empty(field) for field in sorted(kind.head - {"customerId"})},
            "customerName": kept["customerName"], "pricesIncludeTax": False, "status": kept["status"],
            "totalAmountExcludingTax": float(net), "totalTaxAmount": float(tax),
            "totalAmountIncludingTax": float(total),
        }  # fmt: skip
        if expand:
            shown[kind.lines] = [_line_shown(kept, line) for line in kept["lines"]]
        return shown


def _customer(kept: Mapping[str, Any]) -> dict[str, Any]:
    number = f"{kept['id']:05}0"
    return {
        "@odata.etag": _etag(1),
        "id": str(uuid5(NAMESPACE_OID, number)),
        "number": number,
        "displayName": kept["name"],
        "email": kept.get("email", ""),
        "phoneNumber": kept.get("phoneNumber", ""),
        "blocked": " ",
    }


def _line_shown(kept: Mapping[str, Any], line: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: line.get(name) for name in LINE if line.get(name) is not None}
    sequence = 10_000 * (1 + kept["lines"].index(line))
    item = str(uuid5(NAMESPACE_OID, str(line["lineObjectNumber"])))
    more = {"id": line["id"], "documentId": kept["guid"], "sequence": sequence, "itemId": item, "accountId": NOTHING}
    return {"@odata.etag": _etag(line["version"]), **more, **shown}


def _checked(body: Any, known: Collection[str]) -> Mapping[str, Any]:
    """Return a body that has nothing but known fields of the right kind."""
    if not isinstance(body, dict):
        raise Refused(400, "BadRequest", "The request body is not an object.")
    for name, value in body.items():
        if name in READ_ONLY:
            raise Refused(400, "Internal_InvalidTableRelation", f"The property {name} is read-only.")
        if name not in known:
            message = f"The property '{name}' does not exist on the type. Make sure to only use defined property names."
            raise Refused(400, "BadRequest", message)
        if name in LONGEST and len(str(value)) > LONGEST[name]:
            message = f"The length of '{name}' is {len(str(value))}, but it must be at most {LONGEST[name]} characters."
            raise Refused(400, "Application_StringExceededLength", message)
        if name in DAYS:
            _day(name, value)
        if name in {"quantity", "unitPrice"} and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise Refused(400, "BadRequest", f"Cannot convert the value of '{name}' to the type Edm.Decimal.")
    return body


def _day(name: str, value: Any) -> None:
    try:
        date.fromisoformat(str(value))
    except ValueError:
        message = f"Cannot convert the literal '{value}' of '{name}' to the expected type 'Edm.Date'."
        raise Refused(400, "BadRequest", message) from None


def _empty(name: str) -> str:
    """Return what an empty field is shown as."""
    return "0001-01-01" if name in DAYS else ""


def _require_item(line: Mapping[str, Any]) -> None:
    if line.get("lineType") != "Item" or not is_item(str(line.get("lineObjectNumber"))):
        message = f"The Item does not exist. No.='{line.get('lineObjectNumber')}'"
        raise Refused(400, "Application_RecordNotFound", message)


def _require_draft(kept: Mapping[str, Any]) -> None:
    if kept["status"] != "Draft":
        raise Refused(400, "Application_DialogException", "The document is posted and cannot be modified.")


def _require_version(asked: Asked, etag: str) -> None:
    given = asked.headers.get("if-match")
    if given is None:
        raise Refused(400, "BadRequest_RequiredParamNotProvided", "The If-Match header is required.")
    if given not in {etag, "*"}:
        message = "Another user has already changed the record."
        raise Refused(409, "Request_EntityChanged", message)


def _meets(asked: Asked, shown: Mapping[str, Any]) -> bool:
    """Say whether something meets the request's $filter; one that isn't understood is refused."""
    written = asked.query.get("$filter", "")
    terms = _TERM.findall(written)
    if written and " and ".join(f"{name} eq '{value}'" for name, value in terms) != written:
        raise Refused(400, "BadRequest", f"Syntax error in the filter {written}.")
    return all(shown.get(name) == value.replace("''", "'") for name, value in terms)


def _etag(version: int) -> str:
    return f'W/"{UUID(int=version).hex[-12:]}"'


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[BusinessCentral]:
    """Serve a company on 127.0.0.1.

    Args:
        folder: where its database is.
        traps: of ``TRAPS`` and ``OF_MONEY``.
        port: 0 for any that is free.
    """
    company = BusinessCentral(folder, traps)
    try:
        with serve_answers(company.answer, port) as company.origin:
            yield company
    finally:
        company.books.close()
