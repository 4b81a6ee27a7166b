"""STARLIMS before its REST API: ``RunActionDirect`` of generic.asmx over the same scripts.

Requests are checked against the schema within the WSDL, and as .NET reads them: an argument in a list of anything must
say that it is text. It shares no code with the product.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from lxml import etree

from sandbox.products.serving import ProductHandler, ProductServer, running
from sandbox.products.starlims_lab import Laboratory, Row, StandIn

TRAPS = ("error_after_commit",)
"""``error_after_commit``: the script fails once after it has written, and says so under 200."""
PATH = "/STARLIMS/services/generic.asmx"
WSDL = Path(__file__).parents[2] / "include" / "mappings" / "lims_starlims_soap.wsdl"
SERVICE = "http://www.startest.com/webservices/"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XS = "http://www.w3.org/2001/XMLSchema"
ACTION = f'"{SERVICE}RunActionDirect"'
CATEGORY = "PV_Integration."
USER, PASSWORD = "pv.integration", "soap <secret> & 0815"
WRITING = ("CreateSample", "SubmitResults")


class Server(ProductServer):
    """The server and what it holds."""

    def __init__(self, folder: Path, traps: Collection[str], port: int) -> None:
        super().__init__(_Handler, port)
        self.laboratory = Laboratory(folder)
        self.failing = set(WRITING) if "error_after_commit" in traps else set()
        schema = etree.parse(str(WSDL)).find(f".//{{{XS}}}schema")
        self.schema = etree.XMLSchema(etree.fromstring(etree.tostring(schema)))

    def act(self, script: str, given: Row) -> Row:
        """Run a script; one that is to fail does so after it has written."""
        answer = self.laboratory.run(script, given)
        if script in self.failing and answer["Success"] == "True":
            self.failing.discard(script)
            return {"Success": "False", "ErrorMsg": "INTERNAL: ORA-00060: deadlock detected"}
        return answer


class _Handler(ProductHandler):
    """One call."""

    server: Server
    content_type = "text/xml; charset=utf-8"

    def answer(self, method: str, body: bytes) -> tuple[int, bytes]:
        """Return the status and the content of the answer."""
        if method != "POST" or self.path != PATH or self.headers.get("SOAPAction") != ACTION:
            fault = _fault("Client", "Server did not recognize the value of HTTP Header SOAPAction")
            return 500, _envelope(fault)
        envelope = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
        try:
            return 200, _envelope(self._answer(envelope.find(f"{{{SOAP}}}Body")[0]))
        except PermissionError as error:
            return 500, _envelope(_fault("Server", str(error)))

    def _answer(self, call: Any) -> str:
        body = etree.fromstring(etree.tostring(call))
        if not self.server.schema.validate(body):
            raise PermissionError(f"invalid: {self.server.schema.error_log[0].message}")
        given = {child.tag.rpartition("}")[2]: child for child in body}
        if (given["UserName"].text, given["Password"].text) != (USER, PASSWORD):
            raise PermissionError("System.Web.Services.Protocols.SoapException: Invalid user name or password.")
        script = (given["actionID"].text or "").removeprefix(CATEGORY)
        if script == "WhoAmI":
            return _result({"Success": "True", "Result": {"UserName": USER}})
        return _result(self.server.act(script, _argument(given["parameters"])))


def _envelope(body: str) -> bytes:
    return f'<soap:Envelope xmlns:soap="{SOAP}"><soap:Body>{body}</soap:Body></soap:Envelope>'.encode()


def _argument(parameters: Any) -> Row:
    """Return the one JSON text of a list of anything; .NET takes an item without a type for a node, not for text."""
    (item,) = parameters
    prefix, _, kind = item.get(f"{{{XSI}}}type", "").rpartition(":")
    if kind != "string" or item.nsmap.get(prefix) != XS:
        raise PermissionError("Unable to cast object of type 'System.Xml.XmlNode[]' to type 'System.String'.")
    return dict(json.loads(item.text))


def _result(answer: Row) -> str:
    element = etree.Element(f"{{{SERVICE}}}RunActionDirectResponse", nsmap={None: SERVICE, "xsi": XSI, "xsd": XS})
    result = etree.SubElement(element, f"{{{SERVICE}}}RunActionDirectResult")
    result.set(f"{{{XSI}}}type", "xsd:string")
    result.text = json.dumps(answer, ensure_ascii=False)
    return str(etree.tostring(element, encoding="unicode"))


def _fault(code: str, text: str) -> str:
    fault = etree.Element(f"{{{SOAP}}}Fault", nsmap={"soap": SOAP})
    etree.SubElement(fault, "faultcode").text = f"soap:{code}"
    etree.SubElement(fault, "faultstring").text = text
    return str(etree.tostring(fault, encoding="unicode"))


def section(server: Server) -> dict[str, Any]:
    """Return the system's part of the configuration."""
    way = {"auth_type": "soap_arguments", "username": USER, "password": PASSWORD}
    return {"provider": "STARLIMS", "contract": "lims_starlims_soap", "base_url": server.origin + PATH, **way}


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[StandIn]:
    """Run STARLIMS.

    Args:
        folder: where its database is.
        traps: which of :data:`TRAPS` are switched on.
        port: 0 for any free one.
    """
    server = Server(folder, traps, port)
    with running(server), closing(server.laboratory):
        yield StandIn(server.laboratory, server.origin, section(server))
