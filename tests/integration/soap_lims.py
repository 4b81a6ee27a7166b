"""A LIMS that is spoken to by SOAP, on a real socket: strict about requests, but it takes doubles; with faults.

It shares no code with the product: lxml checks each request and each answer against the schema within the WSDL.
"""

from __future__ import annotations

import base64
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lxml import etree

WSDL = Path(__file__).parents[2] / "include" / "mappings" / "lims_soap.wsdl"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
LIMS = "urn:pv-testing:lims:soap"
XS = "http://www.w3.org/2001/XMLSchema"
USER, PASSWORD = "soap-user", "soap-secret"
ORDER = ["Pending Receipt", "Received", "In Testing", "Testing Complete", "Approved"]
FIELDS = ["external_id", "project_id", "sample_type", "customer", "manufacturer", "model", "power_rating"]
AT = "2025-11-13T08:00:00+01:00"


class FaultError(Exception):
    """An answer that is a fault."""

    def __init__(self, code: str, reason: str, detail: str = "", status: int = 500) -> None:
        super().__init__(reason)
        self.code, self.reason, self.detail, self.status = code, reason, detail, status


class SoapLims(ThreadingHTTPServer):
    """The server and what it holds.

    Attributes:
        plan: what happens to the next calls of an operation: ``drop``, ``drop before``, ``server fault``, ``busy``,
            ``garbage``, ``half``, ``other`` or ``ok``; all but ``drop before`` and ``busy`` come after the commit.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.samples: list[dict[str, str]] = []
        self.results: list[dict[str, Any]] = []
        self.calls: Counter[str] = Counter()
        self.plan: dict[str, list[str]] = defaultdict(list)
        self.lock = threading.Lock()
        schema = etree.parse(WSDL).find(f".//{{{XS}}}schema")
        self.schema = etree.XMLSchema(etree.fromstring(etree.tostring(schema)))

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}/services/lims"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that broke off."""

    def answer(self, operation: str, body: etree._Element) -> list[etree._Element]:
        """Return what the answer holds."""
        row = {child.tag.rpartition("}")[2]: child.text or "" for child in body}
        if operation == "WhoAmI":
            return [element("user", USER)]
        if operation == "CreateSample":
            return [self.create(row)]
        if operation == "UpdateSample":
            self.sample(row["id"]).update(row)
            return [shown(self.sample(row["id"]))]
        if operation == "FindSamples":
            keys = {(key[0].text, key[1].text) for key in body}
            return [shown(each) for each in self.samples if (each["external_id"], each["project_id"]) in keys]
        if operation == "ListSamples":
            return self.page(row)
        if operation == "GetSample":
            return [shown(self.sample(row["id"]))]
        if operation == "SetSampleStatus":
            return [self.move(self.sample(row["id"]), row["status"])]
        if operation == "SubmitResults":
            return [self.submit(row, body)]
        ids = {child.text for child in body}
        return [result_set(each) for each in self.results if each["external_id"] in ids]

    def create(self, row: dict[str, str]) -> etree._Element:
        if row["customer"] == "Nobody":
            raise FaultError("soap:Client", "there is no such customer", "CUSTOMER_UNKNOWN")
        sample = {**row, "id": f"LIM-{len(self.samples) + 1:06}", "status": ORDER[0], "updated_at": AT}
        self.samples.append(sample)
        return shown(sample)

    def submit(self, row: dict[str, str], body: etree._Element) -> etree._Element:
        self.sample(row["sample_id"])
        values = [
            {child.tag.rpartition("}")[2]: child.text for child in each} for each in body.iter(f"{{{LIMS}}}result")
        ]
        kept = {**row, "id": f"RES-{len(self.results) + 1:06}", "values": values}
        self.results.append(kept)
        return result_set(kept)

    def sample(self, identity: str) -> dict[str, str]:
        for sample in self.samples:
            if sample["id"] == identity:
                return sample
        raise FaultError("soap:Client", f"no sample {identity}", "UNKNOWN_SAMPLE")

    def move(self, sample: dict[str, str], status: str) -> etree._Element:
        if ORDER.index(status) <= ORDER.index(sample["status"]):
            raise FaultError("soap:Server", f"{sample['status']} can't become {status}", "INVALID_TRANSITION")
        sample["status"] = status
        return shown(sample)

    def page(self, row: dict[str, str]) -> list[etree._Element]:
        wanted = {name: row[name] for name in ("status", "project_id", "external_id") if name in row}
        rows = [each for each in self.samples if wanted.items() <= each.items()]
        first, limit = (int(row["page"]) - 1) * int(row["limit"]), int(row["limit"])
        return [*(shown(each) for each in rows[first : first + limit]), element("total", str(len(rows)))]


class Handler(BaseHTTPRequestHandler):
    """One call."""

    server: SoapLims
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def do_POST(self) -> None:
        """Check, do, answer."""
        content = self.rfile.read(int(self.headers["Content-Length"]))
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers["Authorization"] != wanted:
            self.reply(401, b"who are you?", "text/plain")
            return
        with self.server.lock:
            try:
                self.reply(200, envelope(self.carry_out(content)))
            except FaultError as fault:
                self.reply(fault.status, fault_envelope(fault))

    def do_GET(self) -> None:
        """Tell anyone who fetches the WSDL that this isn't wanted."""
        self.server.calls["GET"] += 1
        self.reply(404, b"", "text/plain")

    def carry_out(self, content: bytes) -> etree._Element:
        operation, body = self.checked(content)
        self.server.calls[operation] += 1
        plan = self.server.plan[operation]
        fate = plan.pop(0) if plan else "ok"
        if fate == "drop before":
            self.drop()
        if fate == "busy":
            raise FaultError("soap:Server", "come back later", "BUSY")
        answer = etree.Element(f"{{{LIMS}}}{operation}Response")
        answer.extend(self.server.answer(operation, body))
        self.server.schema.assertValid(deepcopy(answer))
        if fate == "server fault":
            raise FaultError("soap:Server", "the disk is full, or so it seems")
        if fate == "drop":
            self.drop()
        if fate in {"garbage", "half"}:
            page = b"<html>login</html>" if fate == "garbage" else envelope(answer)[:-40]
            raise RawError(page)
        return etree.Element(f"{{{LIMS}}}WhoAmIResponse") if fate == "other" else answer

    def checked(self, content: bytes) -> tuple[str, etree._Element]:
        """Return operation and body of a request that is as the WSDL says, down to its headers."""
        parsed = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
        (body,) = parsed.find(f"{{{SOAP}}}Body")
        operation = body.tag.rpartition("}")[2]
        if not self.server.schema.validate(etree.fromstring(etree.tostring(body))):
            raise FaultError("soap:Client", str(self.server.schema.error_log[0].message), "SCHEMA")
        headers = (self.path, self.headers["Content-Type"], self.headers["SOAPAction"])
        if headers != ("/services/lims", "text/xml; charset=utf-8", f'"{LIMS}:{operation}"'):
            raise FaultError("soap:Client", f"headers: {headers}", "HEADERS")
        return operation, body

    def drop(self) -> None:
        """Close the connection without an answer."""
        self.close_connection = True
        self.connection.close()
        raise ConnectionAbortedError

    def reply(self, status: int, content: bytes, kind: str = "text/xml; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class RawError(FaultError):
    """An answer of bytes that are no envelope."""

    def __init__(self, content: bytes, status: int = 200) -> None:
        super().__init__("", "", status=status)
        self.content = content


def element(name: str, text: str | None = None, *inner: etree._Element) -> etree._Element:
    made = etree.Element(f"{{{LIMS}}}{name}")
    made.text = text
    made.extend(inner)
    return made


def shown(sample: dict[str, str]) -> etree._Element:
    names = [name for name in FIELDS if sample.get(name)]
    return element("sample", None, *(element(name, sample[name]) for name in [*names, "id", "status", "updated_at"]))


def result_set(kept: dict[str, Any]) -> etree._Element:
    return element("result_set", None, *(element(n, kept[n]) for n in ("id", "sample_id", "external_id", "revision")))


def envelope(inner: etree._Element) -> bytes:
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP})
    etree.SubElement(root, f"{{{SOAP}}}Body").append(inner)
    return etree.tostring(root)


def fault_envelope(fault: FaultError) -> bytes:
    if isinstance(fault, RawError):
        return fault.content
    made = etree.Element(f"{{{SOAP}}}Fault")
    etree.SubElement(made, "faultcode").text = fault.code
    etree.SubElement(made, "faultstring").text = fault.reason
    if fault.detail:
        etree.SubElement(made, "detail").append(element("LimsFault", None, element("code", fault.detail)))
    return envelope(made)


@contextmanager
def serve() -> Iterator[SoapLims]:
    """Run the LIMS."""
    server = SoapLims()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
