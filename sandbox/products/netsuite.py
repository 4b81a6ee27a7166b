"""A stand-in for NetSuite's REST web services by their public documentation: customers, invoices and credit memos.

A token is given for a JWT that the right key has signed. Records are upserted by external id; a creation answers 204
with ``Location``. Listings give ids alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.products.answering import Answered, Asked, serve_answers
from sandbox.products.books import TAX_PER_LINE, Books, invoice_row, is_item

TRAPS = ("concurrency_limit", "token_expires")
OF_MONEY = (TAX_PER_LINE, "no_approval_routing")
CLIENT, CERTIFICATE, SCOPE = "8a1f-client", "cert-1", "rest_webservices"
TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"  # noqa: S105 - an address
RECORD = "/services/rest/record/v1/"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
HEAD = {"entity", "tranDate", "dueDate", "otherRefNum", "memo", "item", "approvalStatus", "externalId"}
LINE = {"item", "description", "quantity", "rate"}
CUSTOMER = {"companyName", "email", "phone"}
KINDS = ("invoice", "creditMemo")
LIFETIME = 3600
_TERM = re.compile(r'(\w+) (?:IS "((?:[^"\\]|\\.)*)"|ANY_OF \[(\d+)\])')
Record = dict[str, Any]


class Refused(Exception):
    """A refusal, as NetSuite words it."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        details = [{"detail": detail, "o:errorCode": code}]
        self.answered = Answered(status, {"title": "Error", "status": status, "o:errorDetails": details})


class NetSuite:
    """One account.

    Args:
        folder: where its database and the key of the integration are.
        traps: those that are switched on.
    """

    def __init__(self, folder: Path, traps: Collection[str]) -> None:
        self.books = Books(folder, traps)
        self._traps = frozenset(traps)
        self._tokens: dict[str, float] = {}
        self.origin = ""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._public = key.public_key()
        self._key = folder / "signing.pem"
        form = serialization.PrivateFormat.PKCS8
        self._key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))

    @property
    def section(self) -> dict[str, Any]:
        """Return the ERP's part of the configuration."""
        return {
            "provider": "NetSuite",
            "contract": "erp_netsuite",
            "base_url": self.origin,
            "auth_type": "oauth2_jwt",
            "client_id": CLIENT,
            "signing_key": str(self._key),
            "signing_key_id": CERTIFICATE,
            "scopes": [SCOPE],
            "token_url": self.origin + TOKEN_PATH,
        }

    def know_customer(self, name: str) -> None:
        """Know a customer; the items are those of the protocols."""
        self.books.know_customer(name)

    def rows(self, kind: str) -> list[Record]:
        """Return what the account holds."""
        assert kind == "invoice"
        return [
            invoice_row(
                kept["externalId"], kept["tranId"], self._amounts(kept), len(kept["item"]["items"]),
                posted=kept["approvalStatus"]["id"] == "2",
            )
            for kept in self.books.documents("invoice")
        ]  # fmt: skip

    def answer(self, asked: Asked) -> Answered:
        """Answer a request."""
        if asked.path == TOKEN_PATH:
            return self._token(asked)
        known = self._tokens.get(asked.headers.get("authorization", "").removeprefix("Bearer "), 0.0)
        if known < time.time():
            return Refused(401, "INVALID_LOGIN", "Invalid login attempt.").answered
        if "concurrency_limit" in self._traps and self.books.number("requests") % 7 == 3:
            return Refused(429, "CONCURRENCY_LIMIT_EXCEEDED", "Concurrent request limit exceeded.").answered
        try:
            with self.books.transaction():
                return self._answer(asked, *asked.path.removeprefix(RECORD).split("/", 1))
        except Refused as refused:
            return refused.answered

    def _token(self, asked: Asked) -> Answered:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != ASSERTION:
            return Answered(400, {"error": "invalid_request"})
        try:
            head = jwt.get_unverified_header(form["client_assertion"])
            claims = jwt.decode(
                form["client_assertion"], self._public, algorithms=["PS256"], audience=self.origin + TOKEN_PATH
            )
        except (KeyError, jwt.PyJWTError):
            return Answered(400, {"error": "invalid_client"})
        if head.get("kid") != CERTIFICATE or claims.get("iss") != CLIENT or claims.get("scope") != SCOPE:
            return Answered(400, {"error": "invalid_client"})
        if claims["exp"] - claims["iat"] > LIFETIME:
            return Answered(400, {"error": "invalid_request"})
        token = f"token-{self.books.number('tokens')}"
        # The trap: the token is refused long before the time that was promised.
        self._tokens[token] = time.time() + (2 if "token_expires" in self._traps else LIFETIME)
        return Answered(200, {"access_token": token, "token_type": "Bearer", "expires_in": str(LIFETIME)})

    def _answer(self, asked: Asked, kind: str, identity: str = "") -> Answered:
        if kind == "customer":
            return self._customers(asked, identity)
        if kind not in KINDS:
            raise Refused(404, "NONEXISTENT_RECORD", f"Record type {kind} does not exist.")
        if not identity:
            return _listed(asked, [self._shown(kind, each) for each in self.books.documents(kind)])
        kept = self._kept(kind, identity)
        if asked.method == "PUT" and identity.startswith("eid:"):
            return self._write(asked, kind, kept or self._new(kind, identity.removeprefix("eid:")))
        if not kept:
            raise Refused(404, "NONEXISTENT_ID", "The record instance does not exist.")
        if asked.method == "PATCH":
            return self._write(asked, kind, kept)
        shown = self._shown(kind, kept)
        if asked.query.get("expandSubResources") != "true":
            shown["item"] = {"links": []}
        return Answered(200, shown)

    def _customers(self, asked: Asked, identity: str) -> Answered:
        if asked.method == "POST":
            body = _checked(asked.json(), CUSTOMER)
            number = self.books.add_customer(body["companyName"], body)
            return Answered(204, None, {"Location": f"{self.origin}{RECORD}customer/{number}"})
        customers = [{**each, "id": str(each["id"]), "companyName": each["name"]} for each in self.books.customers()]
        if not identity:
            return _listed(asked, customers)
        for each in customers:
            if each["id"] == identity:
                return Answered(200, each)
        raise Refused(404, "NONEXISTENT_ID", "The record instance does not exist.")

    def _kept(self, kind: str, identity: str) -> Record:
        for kept in self.books.documents(kind):
            if identity in {str(kept["_id"]), f"eid:{kept['externalId']}"}:
                return kept
        return {}

    def _new(self, kind: str, key: str) -> Record:
        number = f"{kind[:3].upper()}{self.books.number(kind):05}"
        return {"externalId": key, "tranId": number, "item": {"items": []}, "approvalStatus": {"id": "2"}}

    def _write(self, asked: Asked, kind: str, kept: Record) -> Answered:
        body = _checked(asked.json(), HEAD - ({"approvalStatus"} if kind == "creditMemo" else set()))
        if kept.get("_id") and kept["approvalStatus"]["id"] == "2" and kind == "invoice":
            raise Refused(400, "USER_ERROR", "This transaction is approved and cannot be edited.")
        lines = (body.get("item") or {}).get("items") or []
        for line in lines:
            _checked(line, LINE)
            if not is_item(str(line["item"].get("externalId"))):
                raise Refused(400, "INVALID_KEY_OR_REF", f"Invalid item reference key {line['item']}.")
        if kept.get("_id") and lines and asked.query.get("replace") != "item":
            body["item"]["items"] = [*kept["item"]["items"], *lines]
        if "no_approval_routing" in self._traps:
            body.pop("approvalStatus", None)
        kept = {**kept, **body}
        if kept["entity"]["id"] not in {str(each["id"]) for each in self.books.customers()}:
            raise Refused(400, "INVALID_KEY_OR_REF", f"Invalid entity reference key {kept['entity']['id']}.")
        if kept.get("_id"):
            self.books.keep(kept["_id"], kept)
        else:
            kept["_id"] = self.books.add(kind, kept)
        return Answered(204, None, {"Location": f"{self.origin}{RECORD}{kind}/{kept['_id']}"})

    def _amounts(self, kept: Mapping[str, Any]) -> tuple[Decimal, Decimal, Decimal]:
        names = {str(each["id"]): each["name"] for each in self.books.customers()}
        lines = [(line["quantity"], line["rate"]) for line in kept["item"]["items"]]
        return self.books.amounts(lines, names[kept["entity"]["id"]])

    def _shown(self, kind: str, kept: Record) -> Record:
        net, tax, total = self._amounts(kept)
        names = {str(each["id"]): each["name"] for each in self.books.customers()}
        lines = [
            {**line, "line": place, "item": {"id": "1", "refName": line["item"]["externalId"]}}
            for place, line in enumerate(kept["item"]["items"], 1)
        ]
        shown = {
            **kept, "id": str(kept["_id"]), "currency": {"id": "1", "refName": "EUR"}, "item": {"items": lines},
            "entity": {"id": kept["entity"]["id"], "refName": names[kept["entity"]["id"]]},
            "status": {"id": "open", "refName": "Open"}, "subtotal": float(net), "taxTotal": float(tax),
            "total": float(total),
        }  # fmt: skip
        return {name: value for name, value in shown.items() if name != "_id" and _has(kind, name)}


def _has(kind: str, name: str) -> bool:
    return not (kind == "creditMemo" and name == "approvalStatus")


def _checked(body: Any, known: Collection[str]) -> Record:
    for name in body:
        if name not in known:
            raise Refused(400, "INVALID_CONTENT", f"Error while accessing a resource. Unknown field {name}.")
    return dict(body)


def _listed(asked: Asked, rows: list[Record]) -> Answered:
    written = asked.query.get("q", "")
    terms = _TERM.findall(written)
    matching = [row for row in rows if all(_meets(row, *term) for term in terms)]
    if written and len(written.split(" AND ")) != len(terms):
        raise Refused(400, "INVALID_PARAMETER", f"Invalid search query {written}.")
    start, limit = int(asked.query.get("offset", 0)), int(asked.query.get("limit", 1000))
    page = [{"links": [], "id": row["id"]} for row in matching[start : start + limit]]
    more = start + len(page) < len(matching)
    counts = {"totalResults": len(matching), "count": len(page), "hasMore": more, "offset": start}
    return Answered(200, {"links": [], "items": page, **counts})


def _meets(row: Mapping[str, Any], field: str, text: str, number: str) -> bool:
    there = row.get(field)
    if number:
        return str(there["id"] if isinstance(there, dict) else there) == number
    return bool(there == text.replace('\\"', '"').replace("\\\\", "\\"))


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[NetSuite]:
    """Serve an account on 127.0.0.1.

    Args:
        folder: where its database is.
        traps: of ``TRAPS`` and ``OF_MONEY``.
        port: 0 for any that is free.
    """
    account = NetSuite(folder, traps)
    try:
        with serve_answers(account.answer, port) as account.origin:
            yield account
    finally:
        account.books.close()
