"""A LIMS on a real socket that is as the shipped contract says, but for one fault that a test plants."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pv_testing.core.places import contract_path
from tests import yaml_text

KEY = "the-key-of-the-faulty-lims"
STATUSES = ["Pending Receipt", "Received", "In Testing", "Testing Complete", "Approved"]
VERDICTS = {"PASS", "FAIL", "CONDITIONAL", "REVIEW"}
Row = dict[str, Any]
LOSSES = ("drops the connection", "answers 503", "wants to be left alone", "leaves a row out", "stores a row not")
DROPPED = 0


class FaultyLims(ThreadingHTTPServer):
    """The server and what it holds.

    Attributes:
        fault: what it does wrong; empty for nothing.
        lag: seconds after which look-ups see what was created.
        deleted: the ids that were deleted.
        lost: what it did wrong to answers, each of :data:`LOSSES` once for samples and once for results.
    """

    daemon_threads = True

    def __init__(self, fault: str = "", lag: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.fault, self.lag = fault, lag
        self.samples: list[Row] = []
        self.results: list[Row] = []
        self.born: dict[str, float] = {}
        self.deleted: list[str] = []
        self.lost: list[tuple[str, str]] = []
        self.listings = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.server_address[1]}/api"

    def faulty(self, method: str, path: list[str], query: Row, body: Any) -> tuple[int, Any]:
        """Return the answer, or what is left of it; each loss is of one request to create samples, and of results."""
        if method != "POST" or path[-1] not in {"samples", "results", "bulk"} or "status" in path:
            return self.answer(method, path, query, body)
        many = path[-1] == "bulk"
        loss = ("results" if "results" in path else "samples", self.fault)
        if self.fault not in LOSSES or loss in self.lost or (self.fault in LOSSES[3:]) is not many:
            return self.answer(method, path, query, body)
        self.lost.append(loss)
        if self.fault == "wants to be left alone":
            return 429, {"error": {"message": "too many requests"}}
        if self.fault == "stores a row not":
            body = {name: rows[1:] for name, rows in body.items()}
        status, answer = self.answer(method, path, query, body)
        if self.fault == "leaves a row out":
            answer["results"].pop(0)
        return {"drops the connection": DROPPED, "answers 503": 503}.get(self.fault, status), answer

    def answer(self, method: str, path: list[str], query: Row, body: Any) -> tuple[int, Any]:
        """Return status and body of an answer."""
        match method, path:
            case "GET", ["me"]:
                return 200, {"user": "trial"}
            case "POST", ["samples"]:
                return 201, self.add(self.samples, "LIM", body)
            case "POST", ["samples", "bulk"]:
                return 200, {"results": self.many(self.samples, "LIM", body["samples"])}
            case "POST", ["samples", "search"]:
                keys = {(key["project_id"], key["external_id"]) for key in body["keys"]}
                return 200, {
                    "data": self.seen(self.samples, lambda row: (row["project_id"], row["external_id"]) in keys)
                }
            case "GET", ["samples"]:
                return 200, self.page(self.samples, query)
            case "POST", ["samples", "status", "bulk"]:
                return 200, {"results": [self.move_one(update) for update in body["updates"]]}
            case method, ["samples", identity, *rest]:
                return self.of_sample(method, identity, rest, body)
        return self.of_results(method, path, query, body)

    def of_results(self, method: str, path: list[str], query: Row, body: Any) -> tuple[int, Any]:
        """Return the answer about result sets."""
        match method, path:
            case "GET", ["results"]:
                return 200, self.page(self.results, query)
            case "POST", ["results", "bulk"]:
                return 200, {"results": self.many(self.results, "RES", body["results"])}
            case "POST", ["results", "search"]:
                return 200, {"data": self.seen(self.results, lambda row: row["external_id"] in body["external_ids"])}
        return 404, {"error": {"code": "NOT_FOUND", "message": "no such address"}}

    def of_sample(self, method: str, identity: str, rest: list[str], body: Any) -> tuple[int, Any]:
        """Return the answer about one sample."""
        sample = next((row for row in self.samples if row["id"] == identity), None)
        if sample is None and self.fault == "creates what is not there" and method == "PUT":
            sample = {"id": identity, "status": STATUSES[0], "external_id": identity}
            self.samples.append(sample)
            self.born[identity] = time.monotonic()
        if sample is None and self.fault == "refuses under a success" and method != "GET":
            return 200, {"ok": False, "err": "E-NOTFOUND", "msg": f"no sample {identity}"}
        if sample is None:
            return 404, {"error": {"code": "NOT_FOUND", "message": f"no sample {identity}"}}
        match method, rest:
            case "GET", []:
                return 200, sample
            case "PATCH", []:
                if self.fault == "update creates":
                    return 200, self.add(self.samples, "LIM", {**sample, **body})
                sample.update(body)
                return 200, sample
            case "DELETE", []:
                self.samples.remove(sample)
                self.deleted.append(identity)
                return 200, {}
            case "PUT", ["status"]:
                return self.move(sample, body["status"])
            case "POST", ["results"]:
                return self.one_result({**body, "sample_id": identity})
        return 404, {"error": {"code": "NOT_FOUND", "message": "no such address"}}

    def move_one(self, update: Row) -> Row:
        """Return one answer of a bulk answer."""
        status, answer = self.of_sample("PUT", update["id"], ["status"], update)
        return {**answer, "id": update["id"], "status": status}

    def add(self, rows: list[Row], prefix: str, body: Row) -> Row:
        """Keep a record."""
        row = {"status": STATUSES[0], **body, "id": f"{prefix}-{len(rows) + len(self.deleted) + 1:06}"}
        rows.append(row)
        self.born[row["id"]] = time.monotonic()
        return row

    def one_result(self, body: Row) -> tuple[int, Any]:
        """Keep a result set whose verdicts are known."""
        unknown = {each["status"] for each in body["results"]} - VERDICTS
        if unknown:
            return 422, {"error": {"code": "VALIDATION_ERROR", "message": f"status {min(unknown)} is unknown"}}
        return 201, self.add(self.results, "RES", body)

    def many(self, rows: list[Row], prefix: str, bodies: list[Row]) -> list[Row]:
        """Keep many records; the answer has their keys in their order."""
        answers = [{**self.add(rows, prefix, body), "status": 201} for body in bodies]
        if self.fault == "ids swapped in bulk":
            ids = [answer["id"] for answer in answers]
            answers = [{**answer, "id": id_} for answer, id_ in zip(answers, reversed(ids), strict=True)]
        return answers

    def seen(self, rows: list[Row], wanted: Callable[[Row], bool]) -> list[Row]:
        """Return what a look-up sees."""
        if self.fault == "look-up never finds":
            return []
        if self.fault == "find shows the first page of all":
            return rows[:1]
        now = time.monotonic()
        visible = [row for row in rows if now - self.born[row["id"]] >= self.lag]
        return visible if self.fault == "find ignores its filter" else [row for row in visible if wanted(row)]

    def page(self, rows: list[Row], query: Row) -> Row:
        """Return one page of a listing."""
        wanted = {name: query[name] for name in ("project_id", "external_id", "sample_id", "status") if name in query}
        rows = [row for row in rows if wanted.items() <= row.items()]
        self.listings += 1
        if self.fault == "page order wanders" and rows:
            turn = self.listings % len(rows)
            rows = [*rows[turn:], *rows[:turn]]
        if self.fault == "listing without key":
            rows = [{name: value for name, value in row.items() if name != "external_id"} for row in rows]
        number, limit = int(query.get("page", 1)), int(query.get("limit", 20))
        pages = -(-len(rows) // limit)
        return {"total": len(rows), "pages": pages, "data": rows[(number - 1) * limit : number * limit]}

    def move(self, sample: Row, status: str) -> tuple[int, Any]:
        """Give a sample its next status."""
        if status not in STATUSES:
            return 422, {"error": {"code": "VALIDATION_ERROR", "message": f"there is no status {status}"}}
        if STATUSES.index(status) <= STATUSES.index(sample["status"]):
            return 409, {"error": {"code": "INVALID_TRANSITION", "message": f"it is {sample['status']}"}}
        if self.fault != "status does not stick":
            sample["status"] = status
        return 200, {**sample, "status": status}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: FaultyLims
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/api").strip("/").split("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self.server.lock:
            if self.headers.get("X-API-Key") == KEY:
                status, answer = self.server.faulty(self.command, path, query, body)
            else:
                status, answer = 401, {"error": {"code": "UNAUTHORIZED", "message": "who are you?"}}
        if status == DROPPED:
            self.close_connection = True
            return
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serve(fault: str = "", lag: float = 0.0, server: FaultyLims | None = None) -> Iterator[FaultyLims]:
    """Run the LIMS, or one that a test has made, on a free port."""
    with server or FaultyLims(fault, lag) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def contract(folder: Path, change: Callable[[Row], object] = lambda _: None, **limits: float) -> Path:
    """Write the shipped contract of a LIMS with short times and what a test changes."""
    content = yaml_text.read(contract_path("lims_custom"))
    content["limits"].update({"attempt_timeout": 5, "total_timeout": 20, "horizon": 0.2, **limits})
    change(content)
    path = folder / "lims_faulty.yaml"
    path.write_text(yaml_text.dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path
