"""A stand-in for Odoo by its public documentation: models over JSON-2 (19 and later) and over XML-RPC (before).

It refuses what Odoo refuses: unknown fields, missing arguments, a change of a posted invoice, a second posting. Each
call is a transaction; ``ref`` is not unique; notes become HTML.
"""

from __future__ import annotations

import html
import json
import xmlrpc.client
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from sandbox.products.answering import Answered, Asked, serve_answers
from sandbox.products.books import TAX_PER_LINE, Books, invoice_row, is_item

TRAPS = ("serialization_failure",)
OF_MONEY = (TAX_PER_LINE,)
DATABASE, LOGIN, KEY, USER = "laboratory", "integration@lab.example", "6578616d706c65206b6579", 7
CURRENCIES = {"EUR": 1, "USD": 2}
PRODUCTS = {1000 + number: f"PVTP-{number:03}" for number in range(1, 100)} | {1000: "PV-TEST"}
MOVE = {
    "move_type", "partner_id", "ref", "invoice_date", "invoice_date_due", "currency_id", "invoice_origin", "narration",
    "invoice_line_ids", "invoice_payment_term_id",
}  # fmt: skip
LINE = {"product_id", "name", "quantity", "price_unit"}
PARTNER = {"name", "email", "phone", "is_company"}
Record = dict[str, Any]


class OdooError(Exception):
    """What a method raises.

    Attributes:
        name: the Python exception of Odoo.
        status: of HTTP, over JSON-2.
        fault: the code of XML-RPC.
    """

    def __init__(self, name: str, message: str, status: int = 422, fault: int = 2) -> None:
        super().__init__(message)
        self.name, self.status, self.fault = name, status, fault


def user_error(message: str) -> OdooError:
    """Return what Odoo raises where a user asks for what can't be."""
    return OdooError("odoo.exceptions.UserError", message)


class Odoo:
    """One database.

    Args:
        folder: where its SQLite file is.
        traps: those that are switched on.
        by_xmlrpc: whether it is an Odoo 18, which has no JSON-2.
    """

    def __init__(self, folder: Path, traps: Collection[str], *, by_xmlrpc: bool) -> None:
        self.books = Books(folder, traps)
        self._traps = frozenset(traps)
        self._by_xmlrpc = by_xmlrpc
        self.origin = ""
        self._models: dict[tuple[str, str], Callable[..., Any]] = {
            ("res.users", "context_get"): lambda: {"lang": "en_US", "tz": False, "uid": USER},
            ("res.users", "search_read"): lambda **how: _searched([{"id": USER, "login": LOGIN}], **how),
            ("res.partner", "search_read"): lambda **how: _searched(self._partners(), **how),
            ("res.partner", "create"): self._create_partners,
            ("res.currency", "search_read"): lambda **how: _searched(_named(CURRENCIES), **how),
            ("product.product", "search_read"): lambda **how: _searched(_products(), **how),
            ("account.move", "search_read"): lambda **how: _searched(self._moves(), **how),
            ("account.move", "create"): self._create_moves,
            ("account.move", "write"): self._write,
            ("account.move", "action_post"): self._action_post,
            ("account.move.line", "search_read"): lambda **how: _searched(self._lines(), **how),
        }

    @property
    def section(self) -> dict[str, Any]:
        """Return the ERP's part of the configuration."""
        options = {"database": DATABASE}
        if self._by_xmlrpc:
            login = {"auth_type": "basic", "username": LOGIN, "password": KEY}
            known = {"provider": "Odoo XMLRPC", "contract": "erp_odoo_xmlrpc", **login}
        else:
            known = {"provider": "Odoo", "contract": "erp_odoo", "auth_type": "bearer", "token": KEY}
        return {**known, "base_url": self.origin, "options": options}

    def know_customer(self, name: str) -> None:
        """Know a customer; the products are those of the protocols."""
        self.books.know_customer(name)

    def rows(self, kind: str) -> list[Record]:
        """Return what the database holds."""
        assert kind == "invoice"
        return [
            invoice_row(
                kept["ref"], kept["name"], self._amounts(kept), len(kept["lines"]), posted=kept["state"] == "posted"
            )
            for kept in self.books.documents("account.move")
            if kept["move_type"] == "out_invoice"
        ]

    def call(self, model: str, method: str, arguments: Sequence[Any], named: Mapping[str, Any]) -> Any:
        """Call a method in a transaction of its own."""
        known = self._models.get((model, method))
        if known is None:
            raise OdooError("werkzeug.exceptions.NotFound", f"the method {model}.{method} does not exist", 404, 1)
        named = {name: value for name, value in named.items() if name != "context"}
        # Counted outside of the transaction, which the trap has Odoo roll back.
        if method == "action_post" and "serialization_failure" in self._traps and self.books.number("posts") == 1:
            raise _Concurrent
        try:
            with self.books.transaction():
                return known(*arguments, **named)
        except TypeError as error:
            raise OdooError("builtins.TypeError", str(error), 422, 1) from None

    def _amounts(self, kept: Mapping[str, Any]) -> tuple[Decimal, Decimal, Decimal]:
        name = next(each["name"] for each in self.books.customers() if each["id"] == kept["partner_id"])
        return self.books.amounts([(line["quantity"], line["price_unit"]) for line in kept["lines"]], name)

    def _partners(self) -> list[Record]:
        return [
            {"id": each["id"], "name": each["name"], "email": each.get("email", False), "active": True,
             "phone": each.get("phone", False)}
            for each in self.books.customers()
        ]  # fmt: skip

    def _create_partners(self, vals_list: list[Record]) -> list[int]:
        return [self.books.add_customer(_checked(each, PARTNER)["name"], each) for each in vals_list]

    def _moves(self) -> list[Record]:
        shown = []
        for kept in self.books.documents("account.move"):
            net, tax, total = self._amounts(kept)
            partner = next(each for each in self.books.customers() if each["id"] == kept["partner_id"])
            currency = next(name for name, number in CURRENCIES.items() if number == kept["currency_id"])
            shown.append({
                **{name: kept.get(name) or False for name in MOVE - {"invoice_line_ids"}},
                "id": kept["_id"], "name": kept["name"], "state": kept["state"], "payment_state": "not_paid",
                "partner_id": [partner["id"], partner["name"]], "currency_id": [kept["currency_id"], currency],
                "amount_untaxed": float(net), "amount_tax": float(tax), "amount_total": float(total),
            })  # fmt: skip
        return shown

    def _lines(self) -> list[Record]:
        shown = []
        for kept in self.books.documents("account.move"):
            for place, line in enumerate(kept["lines"]):
                product = [line["product_id"], f"[{PRODUCTS[line['product_id']]}] a test"]
                number, known = kept["_id"] * 1000 + place, {**line, "product_id": product, "display_type": "product"}
                shown.append({"id": number, "move_id": [kept["_id"], kept["name"]], **known})
        return shown

    def _create_moves(self, vals_list: list[Record]) -> list[int]:
        made = []
        for values in vals_list:
            kept = {"state": "draft", "name": "/", "currency_id": 1, "lines": []}
            made.append(self.books.add("account.move", self._written(kept, values)))
        return made

    def _write(self, ids: list[int], vals: Record) -> bool:
        for kept in self._of(ids):
            if kept["state"] != "draft":
                raise user_error("You cannot modify a posted entry; reset it to draft first.")
            self.books.keep(kept["_id"], self._written(kept, vals))
        return True

    def _action_post(self, ids: list[int]) -> bool:
        for kept in self._of(ids):
            if kept["state"] != "draft":
                raise user_error(f"The entry {kept['name']} (id {kept['_id']}) must be in draft.")
            if not kept["lines"]:
                raise user_error("You need to add a line before posting.")
            kept.update(state="posted", name=f"INV/2026/{self.books.number('posted'):05}")
            self.books.keep(kept["_id"], kept)
        return False

    def _of(self, ids: list[int]) -> list[Record]:
        by_id = {kept["_id"]: kept for kept in self.books.documents("account.move")}
        if not set(ids) <= by_id.keys():
            raise OdooError("odoo.exceptions.MissingError", "Record does not exist or has been deleted.", 404)
        return [by_id[number] for number in ids]

    def _written(self, kept: Record, values: Record) -> Record:
        values = dict(_checked(values, MOVE))
        for command, _, line in values.pop("invoice_line_ids", []) if "invoice_line_ids" in values else ():
            if command == 5:
                kept["lines"] = []
            elif command == 0:
                kept["lines"] = [*kept["lines"], _line(line)]
            else:
                raise user_error(f"The stand-in knows no command {command}")
        if values.get("narration"):
            values["narration"] = f"<p>{html.escape(values['narration'])}</p>"
        kept = {**kept, **values}
        if kept["partner_id"] not in {each["id"] for each in self.books.customers()}:
            raise OdooError("odoo.exceptions.MissingError", "Record does not exist: res.partner", 404)
        return kept

    def answer(self, asked: Asked) -> Answered:
        """Answer a request over JSON-2 or XML-RPC."""
        return self._by_xml(asked) if self._by_xmlrpc else self._by_json(asked)

    def _by_json(self, asked: Asked) -> Answered:
        if asked.headers.get("authorization", "").lower() != f"bearer {KEY}":
            return _failed(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey")
        if asked.headers.get("x-odoo-database") != DATABASE or not asked.path.startswith("/json/2/"):
            return _failed(404, "werkzeug.exceptions.NotFound", "404 Not Found")
        model, _, method = asked.path.removeprefix("/json/2/").partition("/")
        named = dict(asked.json())
        ids = named.pop("ids", [])
        try:
            return Answered(200, self.call(model, method, [ids] if ids else [], named))
        except OdooError as error:
            return _failed(error.status, error.name, str(error))
        except _Concurrent:
            return _failed(500, "psycopg2.errors.SerializationFailure", "could not serialize access")

    def _by_xml(self, asked: Asked) -> Answered:
        call, method = xmlrpc.client.loads(asked.body, use_builtin_types=True)
        try:
            result = self._served(asked.path.removeprefix("/xmlrpc/2/"), str(method), call)
        except OdooError as error:
            return _xml(xmlrpc.client.Fault(error.fault, str(error)))
        except _Concurrent:
            return _xml(
                xmlrpc.client.Fault(1, "Traceback ...\npsycopg2.errors.SerializationFailure: could not serialize")
            )
        return _xml((result,))

    def _served(self, service: str, method: str, call: tuple[Any, ...]) -> Any:
        if (service, method) == ("common", "version"):
            return {"server_version": "18.0", "protocol_version": 1}
        if (service, method) == ("common", "authenticate"):
            return USER if call[:3] == (DATABASE, LOGIN, KEY) else False
        if (service, method) != ("object", "execute_kw"):
            raise OdooError("builtins.KeyError", method, 404, 1)
        database, user, key, model, name, arguments, *named = call
        if (database, user, key) != (DATABASE, USER, KEY):
            raise OdooError("odoo.exceptions.AccessDenied", "Access Denied", 403, 3)
        return self.call(model, name, arguments, named[0] if named else {})


class _Concurrent(Exception):
    """Another transaction was faster; this one was rolled back."""


def _xml(content: Any) -> Answered:
    body = xmlrpc.client.dumps(content, methodresponse=True).encode()
    return Answered(200, body, {"Content-Type": "text/xml"})


def _failed(status: int, name: str, message: str) -> Answered:
    failure = {"name": name, "message": message, "arguments": [message], "context": {}, "debug": "Traceback ..."}
    return Answered(status, json.loads(json.dumps(failure)))


def _checked(values: Record, known: Collection[str]) -> Record:
    for name in values:
        if name not in known:
            raise OdooError("builtins.ValueError", f"Invalid field {name!r}", 422, 1)
    return values


def _line(values: Record) -> Record:
    line = {"quantity": 1.0, "price_unit": 0.0, **_checked(values, LINE)}
    if line["product_id"] not in PRODUCTS or not is_item(PRODUCTS[line["product_id"]]):
        raise OdooError("odoo.exceptions.MissingError", "Record does not exist: product.product", 404)
    return line


def _products() -> list[Record]:
    return [{"id": number, "default_code": code, "active": True} for number, code in PRODUCTS.items()]


def _named(ids: Mapping[str, int]) -> list[Record]:
    return [{"id": number, "name": name} for name, number in ids.items()]


def _searched(
    records: list[Record],
    *,
    domain: list[Any],
    fields: list[str],
    offset: int = 0,
    limit: int | None = None,
    order: str | None = "id",
) -> list[Record]:
    if order not in {"id", None}:
        raise user_error(f"The stand-in sorts by id alone, not by {order}")
    for field, _, _ in domain:
        if records and field not in records[0]:
            raise OdooError("builtins.ValueError", f"Invalid field {field!r} in condition", 422, 1)
    matching = [each for each in records if all(_meets(each, *condition) for condition in domain)]
    page = matching[offset:][:limit]
    return [{"id": each["id"], **{name: each[name] for name in fields}} for each in page]


def _meets(record: Record, field: str, operator: str, value: Any) -> bool:
    there = record[field][0] if isinstance(record[field], list) else record[field]
    if operator == "=":
        return bool(there == value)
    if operator in {"in", "not in"}:
        return (there in value) == (operator == "in")
    if operator == ">":
        return bool(there > value)
    raise user_error(f"Invalid operator {operator!r}")


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[Odoo]:
    """Serve an Odoo 19 with JSON-2 on 127.0.0.1.

    Args:
        folder: where its database is.
        traps: of ``TRAPS`` and ``OF_MONEY``.
        port: 0 for any that is free.
    """
    with _served(Odoo(folder, traps, by_xmlrpc=False), port) as database:
        yield database


@contextmanager
def serve_xmlrpc(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[Odoo]:
    """Serve an Odoo 18 with XML-RPC on 127.0.0.1; see :func:`serve`."""
    with _served(Odoo(folder, traps, by_xmlrpc=True), port) as database:
        yield database


@contextmanager
def _served(database: Odoo, port: int) -> Iterator[Odoo]:
    try:
        with serve_answers(database.answer, port) as database.origin:
            yield database
    finally:
        database.books.close()
