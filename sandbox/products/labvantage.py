"""LabVantage's REST web services as they are documented: connections, tokens, plural resources and actions.

What the RESTPolicy doesn't open is refused: columns, parameters, methods. It shares no code with the product.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.products.labvantage_lab import INITIAL, RECEIVED, Laboratory, RefusedError, Row
from sandbox.products.serving import ProductHandler, ProductServer, running

TRAPS = ("connection_times_out",)
"""``connection_times_out``: a connection is good for some requests only, and then refused."""
ROOT = "/labvantage/rest"
DATABASE, USER, PASSWORD = "LABVANTAGE", "PVINTEGRATION", "labvantage-secret-0815"
TOKEN = "d1vO-7IEX-EFUU-XEVV"  # noqa: S105 - of a stand-in
USES = 150
ALL_USES = 1_000_000


class Server(ProductServer):
    """The server and what it holds.

    Attributes:
        connections: the requests that each connection is still good for.
        tokens: the tokens of external applications that haven't expired.
    """

    def __init__(self, folder: Path, traps: Collection[str], port: int) -> None:
        super().__init__(_Handler, port)
        self.laboratory = Laboratory(folder)
        self.uses = USES if "connection_times_out" in traps else ALL_USES
        self.connections: dict[str, int] = {}
        self.tokens = {TOKEN}

    def connect(self, given: Row) -> Row:
        """Return a new connection."""
        if given != {"databaseid": DATABASE, "username": USER, "password": PASSWORD}:
            raise RefusedError(401, "the connection is refused")
        number = secrets.token_urlsafe(24)
        self.connections[number] = self.uses
        return {"connections": {"connectionid": number}}

    def admit(self, authorization: str) -> None:
        """Let a request in that has a connection or a token which is still good."""
        scheme, _, given = authorization.partition(" ")
        left = self.connections.get(given, 0)
        if scheme.lower() != "token" or not (left or given in self.tokens):
            raise RefusedError(401, "not a valid connection or token")
        if left:
            self.connections[given] = left - 1


class _Handler(ProductHandler):
    """One request."""

    server: Server

    def answer(self, method: str, body: bytes) -> tuple[int, bytes]:
        """Return the status and the content of the answer."""
        parts = urlsplit(self.path)
        path = unquote(parts.path).removeprefix(ROOT).strip("/").split("/")
        with self.server.laboratory.lock:
            try:
                given = json.loads(body) if body else {}
                answer = self._routed(method, path, dict(parse_qsl(parts.query)), given)
            except RefusedError as error:
                return error.status, json.dumps({"error": {"message": str(error)}}).encode()
        return (204, b"") if answer is None else (200, json.dumps(answer).encode())

    def _routed(self, method: str, path: list[str], query: Row, given: Row) -> Row | None:
        if path == [""]:
            return {"status": "running"}
        if (method, path) == ("POST", ["connections"]):
            return self.server.connect(given)
        self.server.admit(self.headers.get("Authorization", ""))
        match (method, path):
            case ("GET", ["connections"]):
                return {"connections": {"sysuserid": USER}}
            case ("POST", ["actions", name]) if name in self.server.laboratory.actions:
                self.server.laboratory.actions[name](given)
                return None
            case (_, ["sdc", "samples", *rest]):
                return self._sample(method, rest, query, given)
        raise RefusedError(404, f"no resource {'/'.join(path)}, or the RESTPolicy doesn't open it")

    def _sample(self, method: str, rest: list[str], query: Row, given: Row) -> Row:
        laboratory = self.server.laboratory
        match (method, rest):
            case ("GET", []):
                return {"samples": list(map(_shown, self._matching(query)))}
            case ("POST", []):
                return {"samples": [_shown(laboratory.create(given))]}
            case ("GET", [sample]):
                return {"samples": [_shown(laboratory.sample(sample))]}
            case ("PUT", [sample]):
                return {"samples": [_shown(laboratory.change(sample, given))]}
            case ("GET", [sample, "tests"]):
                laboratory.sample(sample)
                return {"tests": list(map(_shown, laboratory.rows("test", sample)))}
            case ("GET", [sample, "datasets"]):
                laboratory.sample(sample)
                return {"datasets": list(map(_shown, laboratory.rows("dataset", sample)))}
            case ("GET", [sample, "dataitems"]):
                sets = laboratory.rows("dataset", sample)
                items = [{"paramid": name, **item} for each in sets for name, item in each["items"].items()]
                return {"dataitems": items}
        raise RefusedError(405, f"the RESTPolicy doesn't open {method} {'/'.join(rest)}")

    def _matching(self, query: Row) -> list[Row]:
        """Return the samples of a named query; there is nothing else to ask by, and no paging."""
        numbered = [name for name in query if name.startswith("param")]
        unknown = query.keys() - {"queryid", *numbered}
        if unknown or "queryid" not in query:
            raise RefusedError(400, f"a list is asked for by a query; unknown: {sorted(unknown)}")
        last = max((int(name.removeprefix("param")) for name in numbered), default=0)
        parameters = [query.get(f"param{number}", "") for number in range(1, last + 1)]
        return self.server.laboratory.query(query["queryid"], parameters)


def _shown(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in {"_", "items"}}


class StandIn:
    """A running LabVantage."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.origin = server.origin
        self.section: dict[str, Any] = {
            "provider": "LabVantage",
            "contract": "lims_labvantage",
            "base_url": self.origin + ROOT,
            "auth_type": "login",
            "username": USER,
            "password": PASSWORD,
            "options": {"steps": "receive release approve review"},
        }

    def rows(self, kind: str) -> list[Row]:
        """Return what LabVantage holds."""
        laboratory = self.server.laboratory
        with laboratory.lock:
            samples = laboratory.rows("sample")
            if kind == "sample":
                return [
                    {"key": row["externalreference"], "status": row["samplestatus"], "id": row["s_sampleid"]}
                    for row in samples
                ]
            return [
                {"key": each["externalreference"], "sample": row["externalreference"], "values": _values(each)}
                for row in samples
                for each in laboratory.rows("dataset", row["s_sampleid"])
                if each.get("externalreference")
            ]

    def receive(self) -> None:
        """Receive all samples, as people do."""
        laboratory = self.server.laboratory
        with laboratory.lock:
            for row in laboratory.rows("sample"):
                if row["samplestatus"] == INITIAL:
                    laboratory.actions["ReceiveSample"]({"sdcid": "Sample", "keyid1": row["s_sampleid"]})
                    assert laboratory.sample(row["s_sampleid"])["samplestatus"] == RECEIVED


def _values(row: Row) -> dict[str, str]:
    return {name: item["enteredtext"] for name, item in row["items"].items()}


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[StandIn]:
    """Run LabVantage.

    Args:
        folder: where its database is.
        traps: which of :data:`TRAPS` are switched on.
        port: 0 for any free one.
    """
    server = Server(folder, traps, port)
    with running(server), closing(server.laboratory):
        yield StandIn(server)
