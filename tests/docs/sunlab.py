"""The imaginary LIMS of docs/reference/contracts.md, as its contract there describes it: an HTTP server."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

Served = TypeVar("Served", bound="Sunlab")
KEY = "sun"
QUERY = re.compile(r"SampleNo='((?:[^']|'')*)' and Client='((?:[^']|'')*)'")
STATES = ["EXPECTED", "HERE", "TEST", "DONE"]


class Sunlab(ThreadingHTTPServer):
    """The server and what it holds: samples and results as their requests described them.

    Attributes:
        seen: method and path of each request.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.samples: list[dict[str, Any]] = []
        self.results: list[dict[str, Any]] = []
        self.busy = 0
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.server_address[1]}/rest"

    def answer(self, method: str, path: list[str], query: dict[str, str], body: Any) -> tuple[int, Any]:
        """Return status and body of the answer to a request."""
        match method, path:
            case "POST", ["sample"]:
                return self.create(body)
            case "GET", ["sample"]:
                return 200, self.page(query)
            case "GET", ["result"]:
                return 200, {"rows": [row for row in self.results if row["Run"] == query["run"]]}
            case "GET", ["sample", "search"]:
                return 200, {"rows": self.search(query["q"])}
            case "GET", ["sample", number]:
                return 200, self.samples[int(number)]
            case "PUT", ["sample", number]:
                self.samples[int(number)].update(body)
                return 200, {"ok": True, "sample": {"Id": int(number)}}
            case "PUT", ["sample", number, "state"]:
                return self.move(self.samples[int(number)], body["State"])
            case "POST", ["sample", number, "result"]:
                self.results.append({**body, "Id": len(self.results), "sample": int(number)})
                return 200, {"ok": True, "result": {"Id": len(self.results) - 1}}
        return 404, {"error": {"code": "NO_SUCH_ADDRESS"}}

    def create(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Answer every refusal with 200, as some systems do."""
        if self.busy:
            self.busy -= 1
            return 200, {"ok": False, "error": {"code": "BUSY", "text": "come back later"}}
        if body["Client"] == "Nobody":
            return 200, {"ok": False, "error": {"code": "CLIENT_UNKNOWN", "text": "no such client"}}
        row = {**body, "Order": body["Order"]["Number"], "Id": len(self.samples), "State": "EXPECTED"}
        self.samples.append(row)
        return 200, {"ok": True, "sample": {"Id": row["Id"]}}

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        """Give samples from an offset on."""
        rows = [
            row
            for row in self.samples
            if query.get("number") in {None, row["SampleNo"]} and query.get("state") in {None, row["State"]}
        ]
        first = int(query.get("from", 0))
        return {"rows": rows[first : first + int(query.get("count", 1000))], "total": len(rows)}

    def search(self, text: str) -> list[dict[str, Any]]:
        """Give the samples that a query in the product's own language asks for."""
        match = QUERY.fullmatch(text)
        wanted = [value.replace("''", "'") for value in match.groups()] if match else None
        return [row for row in self.samples if [row["SampleNo"], row["Client"]] == wanted]

    def move(self, sample: dict[str, Any], state: str) -> tuple[int, Any]:
        """Answer a transition that isn't allowed with 500."""
        if STATES.index(state) <= STATES.index(sample["State"]):
            return 500, {"error": {"text": "illegal transition"}}
        sample["State"] = state
        return 200, {"ok": True}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Sunlab
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/rest").strip("/").split("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.server.seen.append(f"{self.command} {parts.path}")
        known = self.headers.get("X-SunLab-Key") == KEY
        if path == ["session"]:
            status, answer = 200, {"user": {"name": "integration" if known else "guest", "anonymous": not known}}
        elif known:
            status, answer = self.server.answer(self.command, path, query, body)
        else:
            status, answer = 200, {"rows": [], "total": 0}
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_GET  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serve(kind: type[Served] = Sunlab) -> Iterator[Served]:  # type: ignore[assignment]
    """Run the LIMS, or another version of it, on a free port."""
    with kind() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
