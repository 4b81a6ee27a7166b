"""LabWare's REST integration platform, with the paths of the sample profile; refuses what the database refuses."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sandbox.products.labware import database as lims
from sandbox.products.labware.database import LabWareDatabase, RefusedError, Row
from sandbox.products.labware.stand_in import PASSWORD, USER
from sandbox.products.labware.tokens import LIFETIME, Tokens, WebStandIn
from sandbox.products.labware.web import Answer, Call, serving

TRAPS = ("token_expires",)
"""A token that isn't accepted any more long before its time."""
BASE = "/integration"
STATUS = {"INVALID_TRANSITION": 409, "UNKNOWN_SAMPLE": 404, "VALIDATION": 422}
FILTERS = {"samples": ("PROJECT", "TEXT_ID", "STATUS"), "tests": ("EXECUTION",)}
TABLES = {"samples": "SAMPLE", "tests": "TEST"}
Work = Callable[[sqlite3.Connection, Row], int]


class RestPlatform:
    """Answers requests.

    Args:
        database: the LIMS's.
        traps: see :data:`TRAPS`.
    """

    def __init__(self, database: LabWareDatabase, traps: Collection[str] = ()) -> None:
        self.database = database
        self.tokens = Tokens(expires="token_expires" in traps)

    def answer(self, call: Call) -> Answer:
        """Return the answer to a request."""
        where = urlsplit(call.path)
        path, query = where.path.removeprefix(BASE), dict(parse_qsl(where.query))
        try:
            if path == "/auth/token":
                return _token(self.tokens.login(_body(call)))
            if path == "/oauth/token":
                return oauth_answer(self.tokens, call)
            if not self.tokens.knows(call.headers.get("authorization", "")):
                return _refused(401, "INVALID_TOKEN", "the token is missing, wrong or has expired")
            return self._read(path, query) if call.method == "GET" else self._write(call, path)
        except RefusedError as error:
            return _refused(STATUS[error.code], error.code, error.message)
        except (ValueError, TypeError) as error:
            return _refused(400, "BAD_REQUEST", str(error))

    def _read(self, path: str, query: Mapping[str, str]) -> Answer:
        if path == "/session":
            return _json(200, {"user": USER})
        one = re.fullmatch(r"/samples/(\d+)", path)
        if one:
            samples = self.database.select("SAMPLE", {"SAMPLE_NUMBER": int(one[1])})
            return (
                _json(200, samples[0]) if samples else _refused(404, "UNKNOWN_SAMPLE", f"there is no sample {one[1]}")
            )
        name = path[1:]
        if name not in TABLES:
            return _refused(404, "NO_ENDPOINT", f"there is no end point {path}")
        unknown = set(query) - {*FILTERS[name], "offset", "limit", "_"}
        if unknown:
            return _refused(400, "BAD_FILTER", f"unknown filters {sorted(unknown)}")
        rows = self.database.select(TABLES[name], {field: query[field] for field in FILTERS[name] if field in query})
        begin, size = int(query.get("offset", 0)), int(query.get("limit", 100))
        return _json(200, {"rows": rows[begin : begin + size], "total": len(rows)})

    def _write(self, call: Call, path: str) -> Answer:
        routes: dict[tuple[str, str], tuple[int, str, Callable[[int], Work]]] = {
            ("POST", r"/samples()"): (201, "SAMPLE", lambda _: lims.add_sample),
            ("PATCH", r"/samples/(\d+)"): (200, "SAMPLE", _changes),
            ("PUT", r"/samples/(\d+)/status"): (200, "SAMPLE", _moves),
            ("POST", r"/samples/(\d+)/tests"): (201, "TEST", _enters),
        }
        for (method, pattern), (status, table, work) in routes.items():
            match = re.fullmatch(pattern, path)
            if match and method == call.method:
                with self.database.change() as link:
                    number = work(int(match[1] or 0))(link, _body(call))
                return _json(status, self.database.select(table, {f"{table}_NUMBER": number})[0])
        return _refused(404, "NO_ENDPOINT", f"there is no end point {call.method} {path}")


def oauth_answer(tokens: Tokens, call: Call) -> Answer:
    """Return the answer to an OAuth 2.0 client that asks for a token."""
    return _token(tokens.client(dict(parse_qsl(call.body.decode())), call.headers.get("authorization", "")))


def _token(token: str | None) -> Answer:
    if token is None:
        return _refused(401, "invalid_client", "user, password, datasource or role is wrong")
    return _json(200, {"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME})


def _changes(number: int) -> Work:
    def work(link: sqlite3.Connection, row: Row) -> int:
        lims.change_sample(link, number, row)
        return number

    return work


def _moves(number: int) -> Work:
    def work(link: sqlite3.Connection, row: Row) -> int:
        if set(row) != {"STATUS"}:
            raise RefusedError("VALIDATION", "STATUS and nothing else")
        lims.set_status(link, number, row["STATUS"])
        return number

    return work


def _enters(number: int) -> Work:
    def work(link: sqlite3.Connection, row: Row) -> int:
        lims.one_sample(link, number)
        results = row.pop("RESULT", [])
        return lims.add_test(link, {"SAMPLE_NUMBER": number, **row}, results)

    return work


def _body(call: Call) -> Row:
    body = json.loads(call.body, parse_float=Decimal)
    if not isinstance(body, dict):
        raise RefusedError("VALIDATION", "the body is no object")
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in body.items()}


def _json(status: int, body: Any) -> Answer:
    return Answer(status, "application/json", json.dumps(body).encode())


def _refused(status: int, code: str, message: str) -> Answer:
    return _json(status, {"error": {"code": code, "message": message}})


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[WebStandIn]:
    """Run the platform.

    Args:
        folder: for the database.
        traps: see :data:`TRAPS`.
        port: 0 for any free one.
    """
    platform = RestPlatform(LabWareDatabase(folder / "labware.sqlite"), traps)
    section = {"contract": "lims_labware_rest", "auth_type": "login", "username": USER, "password": PASSWORD}
    with serving(platform.answer, port) as origin:
        yield WebStandIn(platform.database, {**section, "base_url": f"{origin}{BASE}"}, origin, platform.tokens)
