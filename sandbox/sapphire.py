"""A LIMS whose SOAP service takes and gives strings alone, with the faults of real ones; it takes doubles.

It is like LabVantage's SapphireBasicWS in its manner, not in its texts. It shares no code with the product: lxml checks
each request against the schema within the WSDL, and the token of WS-Security is verified as the profile says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lxml import etree

WSDL = Path(__file__).parents[1] / "include" / "mappings" / "lims_sapphire.wsdl"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SERVICE = "urn:pv-testing:lims:sapphire"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
USER, PASSWORD = "sapphire-user", "sapphire-secret"
ORDER = ("Initial", "Received", "InProgress", "Completed", "Reviewed")
FRESH = timedelta(minutes=5)
Row = dict[str, Any]


class StrangerError(Exception):
    """The token in the envelope isn't accepted."""


class GatewayError(Exception):
    """The gateway before the service answers in its place."""


class Sapphire(ThreadingHTTPServer):
    """The server and what it holds.

    Args:
        security: ``text`` or ``digest`` wants such a password in the envelope, ``""`` none.
        tls: the server's certificate, and whether it asks for one of clients.

    Attributes:
        plan: what happens to the next calls of an action: ``drop``, ``drop before``, ``internal``, ``gateway``,
            ``busy`` or ``ok``; ``drop``, ``internal`` and ``gateway``, a gateway's own answer, come after the commit.
    """

    daemon_threads = True

    def __init__(self, security: str = "text", tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.security = security
        self.scheme = "http" if tls is None else "https"
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.rows: dict[str, list[Row]] = {"Sample": [], "DataSet": []}
        self.calls: Counter[str] = Counter()
        self.plan: dict[str, list[str]] = defaultdict(list)
        self.nonces: set[str] = set()
        self.lock = threading.Lock()
        schema = etree.parse(str(WSDL)).find(".//{http://www.w3.org/2001/XMLSchema}schema")
        self.schema = etree.XMLSchema(etree.fromstring(etree.tostring(schema)))

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}/services/SapphireBasicWS"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that broke off."""

    def check(self, envelope: Any) -> None:
        """Verify the token of an envelope.

        Raises:
            StrangerError: it is missing, wrong, too old or was there before.
        """
        if not self.security:
            return
        token = envelope.find(f".//{{{WSSE}}}UsernameToken")
        if token is None or token.findtext(f"{{{WSSE}}}Username") != USER:
            raise StrangerError("no token")
        password = token.find(f"{{{WSSE}}}Password")
        kind = password.get("Type", "").rpartition("#")[2]
        if self.security == "text":
            good = kind == "PasswordText" and hmac.compare_digest(password.text or "", PASSWORD)
        else:
            good = kind == "PasswordDigest" and self._digest_is_good(token, password.text or "")
        if not good:
            raise StrangerError("wrong password")

    def _digest_is_good(self, token: Any, digest: str) -> bool:
        nonce, created = token.findtext(f"{{{WSSE}}}Nonce") or "", token.findtext(f"{{{WSU}}}Created") or ""
        at = datetime.fromisoformat(created.replace("Z", "+00:00"))
        if nonce in self.nonces or abs(datetime.now(timezone.utc) - at) > FRESH:
            return False
        self.nonces.add(nonce)
        expected = hashlib.sha1(base64.b64decode(nonce) + created.encode() + PASSWORD.encode()).digest()  # noqa: S324 - the profile's
        return hmac.compare_digest(base64.b64encode(expected).decode(), digest)

    def act(self, name: str, properties: Row) -> str:
        """Carry an action out and return its string."""
        actions: dict[str, Callable[[Row], str]] = {
            "AddSample": self._add_sample,
            "EditSample": self._edit_sample,
            "EditSampleStatus": self._edit_status,
            "AddDataSet": self._add_data_set,
        }
        return actions[name](properties) if name in actions else f"ERROR|UNKNOWN_ACTION|no action {name}"

    def find(self, sdcid: str, criteria: Row) -> str:
        """Return the rows that meet criteria, as a string."""
        rows = [row for row in self.rows.get(sdcid, []) if criteria.items() <= row.items()]
        return _xml("sdis", [("sdi", row) for row in rows])

    def _add_sample(self, properties: Row) -> str:
        if properties.get("customer") == "Nobody":
            return "ERROR|NO_CUSTOMER|there is no customer Nobody"
        row = {**properties, "keyid1": f"S-{len(self.rows['Sample']) + 1:06}", "status": ORDER[0]}
        self.rows["Sample"].append(row)
        return _xml("result", [("keyid1", row["keyid1"])])

    def _edit_sample(self, properties: Row) -> str:
        row = self._sample(properties["keyid1"])
        if row is None:
            return f"ERROR|NOT_FOUND|no sample {properties['keyid1']}"
        row.update(properties)
        return _xml("result", [("keyid1", row["keyid1"])])

    def _edit_status(self, properties: Row) -> str:
        row = self._sample(properties["keyid1"])
        if row is None:
            return f"ERROR|NOT_FOUND|no sample {properties['keyid1']}"
        if ORDER.index(properties["status"]) <= ORDER.index(row["status"]):
            return f"ERROR|INVALID_TRANSITION|{row['status']} can't become {properties['status']}"
        row["status"] = properties["status"]
        return _xml("result", [("keyid1", row["keyid1"])])

    def _add_data_set(self, properties: Row) -> str:
        if self._sample(properties["sampleid"]) is None:
            return f"ERROR|NOT_FOUND|no sample {properties['sampleid']}"
        row = {**properties, "keyid1": f"D-{len(self.rows['DataSet']) + 1:06}"}
        self.rows["DataSet"].append(row)
        return _xml("result", [("keyid1", row["keyid1"])])

    def _sample(self, number: str) -> Row | None:
        return next((row for row in self.rows["Sample"] if row["keyid1"] == number), None)


class _Handler(BaseHTTPRequestHandler):
    """One call."""

    server: Sapphire
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: else each waits for an acknowledgement
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def do_POST(self) -> None:
        """Check, do, answer."""
        content = self.rfile.read(int(self.headers["Content-Length"]))
        envelope = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
        with self.server.lock:
            try:
                self.server.check(envelope)
                self._answer(*self._response(envelope.find(f"{{{SOAP}}}Body")[0]))
            except StrangerError as error:
                fault = f"<faultcode>wsse:FailedAuthentication</faultcode><faultstring>{error}</faultstring>"
                self._reply(500, f"<soap:Fault>{fault}</soap:Fault>")
            except GatewayError:
                self._send(500, "application/json", b'{"error": {"code": "E", "message": "upstream failed"}}')

    def _response(self, body: Any) -> tuple[str, str]:
        """Return the operation and what it answers."""
        operation = body.tag.rpartition("}")[2]
        if not self.server.schema.validate(etree.fromstring(etree.tostring(body))):
            return operation, f"ERROR|SCHEMA|{self.server.schema.error_log[0].message}"
        given = {child.tag: child.text or "" for child in body}
        if operation == "getUser":
            return operation, _xml("user", [("userid", USER)])
        if operation == "getSDIData":
            self.server.calls["getSDIData"] += 1
            return operation, self.server.find(given.pop("sdcid"), given)
        return operation, self._act(given)

    def _act(self, given: dict[str, str]) -> str:
        name, plan = given["actionid"], self.server.plan[given["actionid"]]
        self.server.calls[name] += 1
        fate = plan.pop(0) if plan else "ok"
        if fate == "busy":
            return "ERROR|BUSY|come back later"
        if fate == "drop before":
            self._drop()
        answer = self.server.act(name, _read(given["properties"]))
        if fate == "drop":
            self._drop()
        if fate == "gateway":
            raise GatewayError
        return "ERROR|INTERNAL|ORA-00060" if fate == "internal" else answer

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.close()
        raise ConnectionAbortedError

    def _answer(self, operation: str, text: str) -> None:
        element = etree.Element(f"{{{SERVICE}}}{operation}Response")
        etree.SubElement(element, "return").text = text
        self._reply(200, etree.tostring(element).decode())

    def _reply(self, status: int, body: str) -> None:
        whole = f'<soap:Envelope xmlns:soap="{SOAP}" xmlns:wsse="{WSSE}"><soap:Body>{body}</soap:Body></soap:Envelope>'
        self._send(status, "text/xml; charset=utf-8", whole.encode())

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _read(text: str) -> Row:
    """Return the fields of a text; an element with others in it is kept as a list of such."""
    row: Row = {}
    for child in etree.fromstring(text.encode()):
        if len(child):
            row.setdefault(child.tag, []).append({each.tag: each.text or "" for each in child})
        else:
            row[child.tag] = child.text or ""
    return row


def _xml(name: str, fields: list[tuple[str, Any]]) -> str:
    root = etree.Element(name)
    for field, value in fields:
        element = etree.SubElement(root, field)
        for inner, text in value.items() if isinstance(value, dict) else ():
            if isinstance(text, str):
                etree.SubElement(element, inner).text = text
        if isinstance(value, str):
            element.text = value
    return str(etree.tostring(root, encoding="unicode"))


@contextmanager
def serve(security: str = "text", tls: ssl.SSLContext | None = None) -> Iterator[Sapphire]:
    """Run the LIMS."""
    server = Sapphire(security, tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
