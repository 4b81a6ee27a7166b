"""A stand-in for SAP S/4HANA's OData v2 services: business partners, debit and credit memo requests.

A write needs a CSRF token with the cookies of the session that gave it, a change the ETag. Dates are ``/Date(ms)/``,
decimals are text, and what SAP wants to tell besides comes in the header ``sap-message``.
"""

from __future__ import annotations

import json
import re
import secrets
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from sandbox.products.answering import Answered, Asked, serve_answers
from sandbox.products.books import ABROAD, RATE, TAX_PER_LINE, Books, cents, invoice_row, is_item

TRAPS = ("session_lost", "sap_message")
OF_MONEY = (TAX_PER_LINE,)
BASE = "/sap/opu/odata/sap"
USER, PASSWORD = "INTEGRATION", "sap-password"
PARTNERS = "API_BUSINESS_PARTNER"
KINDS = {"API_DEBIT_MEMO_REQUEST_SRV": "DebitMemoRequest", "API_CREDIT_MEMO_REQUEST_SRV": "CreditMemoRequest"}
HEAD = {
    "SalesOrganization", "DistributionChannel", "OrganizationDivision", "SoldToParty", "PurchaseOrderByCustomer",
    "PurchaseOrderByShipToParty", "BillingDocumentDate", "TransactionCurrency", "HeaderBillingBlockReason", "to_Item",
}  # fmt: skip
ITEM = {"Material", "RequestedQuantity", "RequestedQuantityUnit", "to_PricingElement"}
PRICE = {"ConditionType", "ConditionRateValue", "ConditionCurrency"}
PRICE_TYPE, TAX_TYPE = "PPR0", "TTX1"
LOST_EVERY = 4
_PATH = re.compile(r"/(?P<service>\w+)(?:/(?P<set>\w+)?(?:\('(?P<id>[^']+)'\))?(?P<items>/to_Item)?)?$")
_ITEM = re.compile(r"/(?P<service>\w+)/A_(?P<kind>\w+)Item\(\w+='(?P<id>\d+)',\w+='(?P<item>\d+)'\)$")
_TERM = re.compile(r"(\w+) (eq|ne) '((?:[^']|'')*)'")
_DATE = re.compile(r"/Date\(-?\d+\)/")
Record = dict[str, Any]


class Refused(Exception):
    """A refusal, as SAP Gateway words it."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        content = {"error": {"code": code, "message": {"lang": "en", "value": message}}}
        self.answered = Answered(status, content, headers or {})


class S4Hana:
    """One client of a system.

    Args:
        folder: where its database is.
        traps: those that are switched on.
    """

    def __init__(self, folder: Path, traps: Collection[str]) -> None:
        self.books = Books(folder, traps)
        self._traps = frozenset(traps)
        self._sessions: dict[str, str] = {}
        self.origin = ""

    @property
    def section(self) -> dict[str, Any]:
        """Return the ERP's part of the configuration."""
        login = {"auth_type": "basic", "username": USER, "password": PASSWORD}
        return {"provider": "S4HANA", "contract": "erp_s4hana", "base_url": self.origin + BASE, **login}

    def know_customer(self, name: str) -> None:
        """Know a business partner; the materials are those of the protocols."""
        self.books.know_customer(name)

    def rows(self, kind: str) -> list[Record]:
        """Return what the system holds."""
        assert kind == "invoice"
        return [
            invoice_row(
                kept["PurchaseOrderByCustomer"], str(kept["_id"]), self._amounts(kept), len(kept["to_Item"]),
                posted=not kept["HeaderBillingBlockReason"],
            )
            for kept in self.books.documents("DebitMemoRequest")
        ]  # fmt: skip

    def answer(self, asked: Asked) -> Answered:
        """Answer a request."""
        wanted = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if asked.headers.get("authorization") != wanted:
            return Answered(401, b"<html>Logon failed</html>", {"Content-Type": "text/html"})
        try:
            if asked.method != "GET":
                self._require_token(asked)
            with self.books.transaction():
                answered = self._answer(asked)
        except Refused as refused:
            return refused.answered
        if asked.headers.get("x-csrf-token", "").casefold() == "fetch":
            return self._with_token(answered)
        if asked.method == "POST" and "sap_message" in self._traps:
            message = {"code": "V4/233", "message": "Customer data is incomplete", "severity": "warning"}
            return Answered(answered.status, answered.content, {"sap-message": json.dumps(message)})
        return answered

    def _with_token(self, answered: Answered) -> Answered:
        session, token = secrets.token_hex(8), secrets.token_urlsafe(12)
        self._sessions[session] = token
        headers = {"x-csrf-token": token, "Set-Cookie": f"SAP_SESSIONID_S4H_100={session}; path=/; secure; HttpOnly"}
        return Answered(answered.status, answered.content, {**answered.headers, **headers})

    def _require_token(self, asked: Asked) -> None:
        cookie = SimpleCookie(asked.headers.get("cookie", "")).get("SAP_SESSIONID_S4H_100")
        token = self._sessions.get(cookie.value) if cookie else None
        lost = "session_lost" in self._traps and self.books.number("writes") % LOST_EVERY == 1
        if lost and cookie:
            self._sessions.pop(cookie.value, None)
        if token is None or lost or asked.headers.get("x-csrf-token") != token:
            raise Refused(403, "CSRF", "CSRF token validation failed", {"x-csrf-token": "Required"})

    def _answer(self, asked: Asked) -> Answered:
        item = _ITEM.match(asked.path.removeprefix(BASE))
        if item is not None and KINDS.get(item["service"]) == item["kind"] and asked.method == "DELETE":
            return self._remove(asked, self._one(item["kind"], item["id"]), item["item"])
        parts = _PATH.match(asked.path.removeprefix(BASE))
        if parts is None:
            raise Refused(404, "005056A509B11EE1B9A8FEC11C21578E", "Resource not found")
        if parts["set"] is None:
            return Answered(200, {"d": {"EntitySets": []}})
        if parts["service"] == PARTNERS and parts["set"] == "A_BusinessPartner":
            return self._partners(asked)
        kind = KINDS.get(parts["service"], "")
        if not kind or parts["set"] != f"A_{kind}":
            raise Refused(404, "005056A509B11EE1B9A8FEC11C21578E", f"Resource not found for segment {parts['set']}")
        if parts["id"] is None:
            return self._create(asked, kind) if asked.method == "POST" else self._list(asked, kind)
        kept = self._one(kind, parts["id"])
        if parts["items"] and asked.method == "POST":
            return self._add(kind, kept, asked.json())
        if asked.method == "GET":
            return Answered(200, {"d": self._shown(kind, kept)})
        return self._change(asked, kind, kept)

    def _one(self, kind: str, number: str) -> Record:
        for kept in self.books.documents(kind):
            if _number(kept["_id"]) == number:
                return kept
        raise Refused(404, "VBAK/404", f"{kind} {number} does not exist")

    def _add(self, kind: str, kept: Record, item: Record) -> Answered:
        _require_blocked(kept)
        number = max((each["number"] for each in kept["to_Item"]), default=0) + 10
        made = {**self._item(kind, item), "number": number}
        self.books.keep(kept["_id"], {**kept, "to_Item": [*kept["to_Item"], made], "version": kept["version"] + 1})
        return Answered(201, {"d": {f"{kind}Item": str(number)}})

    def _remove(self, asked: Asked, kept: Record, number: str) -> Answered:
        _require_version(asked, _item_etag(next((e for e in kept["to_Item"] if str(e["number"]) == number), {})))
        _require_blocked(kept)
        left = [each for each in kept["to_Item"] if str(each["number"]) != number]
        if len(left) == len(kept["to_Item"]) or not left:
            raise Refused(404, "V1/404", f"Item {number} does not exist, or is the last one")
        self.books.keep(kept["_id"], {**kept, "to_Item": left})
        return Answered(204)

    def _partners(self, asked: Asked) -> Answered:
        if asked.method == "POST":
            body = _checked(asked.json(), {"OrganizationBPName1", "BusinessPartnerCategory"})
            self.books.add_customer(body["OrganizationBPName1"], {})
            return Answered(201, {"d": _partner(self.books.customers()[-1])})
        return _listed(asked, [_partner(each) for each in self.books.customers()])

    def _create(self, asked: Asked, kind: str) -> Answered:
        body = _checked(asked.json(), HEAD | {f"{kind}Type"})
        if not _DATE.fullmatch(str(body.get("BillingDocumentDate"))):
            raise Refused(400, "CX_SXML_PARSE_ERROR", "Invalid date")
        if len(str(body["PurchaseOrderByCustomer"])) > 35:
            raise Refused(400, "/IWBEP/CM_MGW_RT/020", "Property PurchaseOrderByCustomer has a length over 35")
        if body["SoldToParty"] not in {_partner(each)["BusinessPartner"] for each in self.books.customers()}:
            raise Refused(400, "VP/204", f"Customer {body['SoldToParty']} does not exist")
        given = enumerate(body["to_Item"]["results"], 1)
        items = [{**self._item(kind, item), "number": 10 * place} for place, item in given]
        kept = {"HeaderBillingBlockReason": "", "TransactionCurrency": "EUR", "version": 1, **body, "to_Item": items}
        kept["_id"] = self.books.add(kind, kept)
        return Answered(201, {"d": self._shown(kind, kept)})

    @staticmethod
    def _item(kind: str, item: Record) -> Record:
        _checked(item, ITEM | {f"{kind}ItemText"})
        (price,) = [_checked(each, PRICE) for each in item["to_PricingElement"]["results"]]
        if not is_item(item["Material"]) or price["ConditionType"] != PRICE_TYPE:
            raise Refused(400, "V1/302", f"Material {item['Material']} is not defined")
        for value in (item["RequestedQuantity"], price["ConditionRateValue"]):
            _decimal(value)
        return {**item, "to_PricingElement": price}

    def _change(self, asked: Asked, kind: str, kept: Record) -> Answered:
        _require_version(asked, _etag(kept))
        _require_blocked(kept)
        if asked.method != "PATCH":
            raise Refused(405, "/IWFND/CM_MGW/096", asked.method)
        body = _checked(asked.json(), (HEAD | {f"{kind}Type"}) - {"to_Item"})
        self.books.keep(kept["_id"], {**kept, **body, "version": kept["version"] + 1})
        return Answered(204)

    def _list(self, asked: Asked, kind: str) -> Answered:
        return _listed(asked, [self._shown(kind, each) for each in self.books.documents(kind)])

    def _amounts(self, kept: Mapping[str, Any]) -> tuple[Decimal, Decimal, Decimal]:
        lines = [(e["RequestedQuantity"], e["to_PricingElement"]["ConditionRateValue"]) for e in kept["to_Item"]]
        return self.books.amounts(lines, self._name(kept))

    def _name(self, kept: Mapping[str, Any]) -> str:
        names = {_partner(each)["BusinessPartner"]: str(each["name"]) for each in self.books.customers()}
        return names[kept["SoldToParty"]]

    def _shown(self, kind: str, kept: Record) -> Record:
        net, tax, _ = self._amounts(kept)
        items, left = [], tax
        for place, item in enumerate(kept["to_Item"], 1):
            amount = cents(
                Decimal(item["RequestedQuantity"]) * Decimal(item["to_PricingElement"]["ConditionRateValue"])
            )
            # SAP hands the rounding of the sum to the last item.
            share = cents(amount * (0 if self._name(kept) in ABROAD else RATE) / 100)
            share = left if place == len(kept["to_Item"]) else share
            left -= share
            taxed = {"ConditionType": TAX_TYPE, "ConditionCategory": "D", "ConditionAmount": f"{share:.2f}"}
            priced = {**item["to_PricingElement"], "ConditionCategory": "", "ConditionAmount": f"{amount:.2f}"}
            number: Record = {f"{kind}Item": str(item["number"]), "NetAmount": f"{amount:.2f}"}
            number["__metadata"] = {"etag": _item_etag(item)}
            items.append({**item, **number, "to_PricingElement": {"results": [priced, taxed]}})
        own = {kind: _number(kept["_id"]), "TotalNetAmount": f"{net:.2f}", "OverallSDDocumentRejectionSts": "A"}
        meta = {"__metadata": {"id": kind, "etag": _etag(kept)}}
        hidden = {"_id", "version", "to_Item"}
        return {**meta, **{name: value for name, value in kept.items() if name not in hidden}, **own, "to_Item": {
            "results": items
        }}  # fmt: skip


def _require_version(asked: Asked, etag: str) -> None:
    if "if-match" not in asked.headers:
        raise Refused(428, "/IWBEP/CM_MGW_RT/001", "Precondition required")
    if asked.headers["if-match"] not in {etag, "*"}:
        raise Refused(412, "/IWBEP/CM_MGW_RT/002", "Precondition failed")


def _require_blocked(kept: Record) -> None:
    if not kept["HeaderBillingBlockReason"]:
        raise Refused(400, "V1/555", "The request is released and may be billed; it cannot be changed")


def _number(identity: int) -> str:
    return str(70_000_000 + identity)


def _partner(kept: Mapping[str, Any]) -> Record:
    return {"BusinessPartner": str(10_100_000 + kept["id"]), "OrganizationBPName1": kept["name"]}


def _etag(kept: Mapping[str, Any]) -> str:
    return f"W/\"datetimeoffset'2026-11-29T08%3A00%3A{kept['version']:02}Z'\""


def _item_etag(item: Mapping[str, Any]) -> str:
    return f'W/"item-{item.get("number", 0)}"'


def _checked(body: Any, known: Collection[str]) -> Record:
    for name in body:
        if name not in known:
            raise Refused(400, "/IWBEP/CM_MGW_RT/021", f"Property {name} is invalid")
    return dict(body)


def _decimal(value: Any) -> None:
    try:
        if not isinstance(value, str):
            raise InvalidOperation
        Decimal(value)
    except InvalidOperation:
        raise Refused(400, "CX_SXML_PARSE_ERROR", f"Failed to read a decimal at {value!r}") from None


def _listed(asked: Asked, rows: list[Record]) -> Answered:
    written = asked.query.get("$filter", "")
    terms = _TERM.findall(written)
    if written and " and ".join(f"{name} {how} '{value}'" for name, how, value in terms) != written:
        raise Refused(400, "/IWBEP/CM_MGW_RT/176", f"The filter {written} is invalid")
    matching = [row for row in rows if all(_meets(row, *term) for term in terms)]
    start, size = int(asked.query.get("$skip", 0)), int(asked.query.get("$top", 1000))
    return Answered(200, {"d": {"results": matching[start : start + size]}})


def _meets(row: Mapping[str, Any], name: str, how: str, value: str) -> bool:
    return (str(row.get(name, "")) == value.replace("''", "'")) == (how == "eq")


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[S4Hana]:
    """Serve a system on 127.0.0.1.

    Args:
        folder: where its database is.
        traps: of ``TRAPS`` and ``OF_MONEY``.
        port: 0 for any that is free.
    """
    system = S4Hana(folder, traps)
    try:
        with serve_answers(system.answer, port) as system.origin:
            yield system
    finally:
        system.books.close()
