"""LabWare's SOAP web services, with the WSDL of the sample profile.

lxml checks each request against the schema within the WSDL. Who calls says so by WS-Security's UsernameToken, or by an
OAuth 2.0 bearer token; datasource and role are arguments of each call.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lxml import etree

from sandbox.products.labware import database as lims
from sandbox.products.labware.database import LabWareDatabase, RefusedError, Row
from sandbox.products.labware.rest import oauth_answer
from sandbox.products.labware.stand_in import DATASOURCE, PASSWORD, ROLE, USER
from sandbox.products.labware.tokens import Tokens, WebStandIn
from sandbox.products.labware.web import Answer, Call, serving

TRAPS = ("token_expires",)
"""A bearer token that isn't accepted any more long before its time; a user and a password don't expire."""
PATH = "/labware/services/LabWareService"
WSDL = Path(__file__).parents[3] / "include" / "mappings" / "lims_labware.wsdl"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
LW = "urn:pv-testing:lims:labware"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
SHOWN = {
    "SAMPLE": (*lims.SAMPLE, "SAMPLE_NUMBER", "STATUS"),
    "TEST": ("TEST_NUMBER", "SAMPLE_NUMBER", "EXECUTION", "REVISION"),
}
Shown = tuple[str, Sequence[Row]]


class Services:
    """Answers envelopes.

    Args:
        database: the LIMS's.
        traps: see :data:`TRAPS`.
    """

    def __init__(self, database: LabWareDatabase, traps: Collection[str] = ()) -> None:
        self.database = database
        self.tokens = Tokens(expires="token_expires" in traps)
        schema = etree.parse(str(WSDL)).find(".//{http://www.w3.org/2001/XMLSchema}schema")
        self._schema = etree.XMLSchema(etree.fromstring(etree.tostring(schema)))

    def answer(self, call: Call) -> Answer:
        """Return the answer to a request."""
        if call.path == "/oauth/token":
            return oauth_answer(self.tokens, call)
        envelope = etree.fromstring(call.body, etree.XMLParser(resolve_entities=False, no_network=True))
        if not self._knows(call, envelope):
            if "authorization" in call.headers:
                return Answer(401, "text/plain", b"the token is missing, wrong or has expired")
            return _fault("wsse:FailedAuthentication", "user or password is wrong")
        body = envelope.find(f"{{{SOAP}}}Body")[0]
        name = etree.QName(body).localname
        # A copy of its own, so that no namespace of the envelope is in the way.
        if not self._schema.validate(etree.fromstring(etree.tostring(body))):
            return _fault("soap:Client", str(self._schema.error_log[0].message), "VALIDATION")
        try:
            shown, rows = self._do(name, _read(body))
        except RefusedError as error:
            return _fault("soap:Client", error.message, error.code)
        return _answer(name, shown, rows)

    def _knows(self, call: Call, envelope: Any) -> bool:
        authorization = call.headers.get("authorization", "")
        if authorization:
            return self.tokens.knows(authorization)
        given = [envelope.findtext(f".//{{{WSSE}}}{name}") for name in ("Username", "Password")]
        return given == [USER, PASSWORD]

    def _do(self, name: str, row: Row) -> Shown:
        connection = (row.pop("datasource"), row.pop("role", ROLE))
        if connection != (DATASOURCE, ROLE):
            raise RefusedError("UNKNOWN_CONNECTION", "there is no such datasource or role")
        return _OPERATIONS[name](self.database, row)


def _create(database: LabWareDatabase, row: Row) -> Shown:
    with database.change() as link:
        number = lims.add_sample(link, row)
    return "SAMPLE", database.select("SAMPLE", {"SAMPLE_NUMBER": number})


def _update(database: LabWareDatabase, row: Row) -> Shown:
    number = int(row.pop("SAMPLE_NUMBER"))
    return _changed(database, number, lambda link: lims.change_sample(link, number, row))


def _move(database: LabWareDatabase, row: Row) -> Shown:
    number = int(row["SAMPLE_NUMBER"])
    return _changed(database, number, lambda link: lims.set_status(link, number, row["STATUS"]))


def _changed(database: LabWareDatabase, number: int, work: Callable[[sqlite3.Connection], None]) -> Shown:
    with database.change() as link:
        work(link)
    return "SAMPLE", database.select("SAMPLE", {"SAMPLE_NUMBER": number})


def _enter(database: LabWareDatabase, row: Row) -> Shown:
    results = row.pop("RESULT")
    with database.change() as link:
        lims.one_sample(link, int(row["SAMPLE_NUMBER"]))
        number = lims.add_test(link, row, results)
    return "TEST", database.select("TEST", {"TEST_NUMBER": number})


def _list(database: LabWareDatabase, row: Row) -> Shown:
    begin, size = int(row.pop("offset", 0)), int(row.pop("limit", 1000))
    return "SAMPLE", database.select("SAMPLE", row)[begin : begin + size]


def _get(database: LabWareDatabase, row: Row) -> Shown:
    rows = database.select("SAMPLE", row)
    if not rows:
        raise RefusedError("UNKNOWN_SAMPLE", f"there is no sample {row['SAMPLE_NUMBER']}")
    return "SAMPLE", rows


_OPERATIONS: Mapping[str, Callable[[LabWareDatabase, Row], Shown]] = {
    "WhoAmI": lambda _, __: ("user", []),
    "CreateSample": _create,
    "UpdateSample": _update,
    "SetSampleStatus": _move,
    "EnterResults": _enter,
    "FindSamples": _list,
    "ListSamples": _list,
    "GetSample": _get,
    "FindTests": lambda database, row: ("TEST", database.select("TEST", row)),
}


def _read(element: Any) -> Row:
    """Return the fields of an element; those that hold others are kept as a list of such."""
    row: Row = {}
    for child in element:
        name = etree.QName(child).localname
        if len(child):
            row.setdefault(name, []).append(_read(child))
        else:
            row[name] = child.text or ""
    return row


def _answer(name: str, shown: str, rows: Sequence[Row]) -> Answer:
    body = etree.Element(f"{{{LW}}}{name}Response", nsmap={"lw": LW})
    if shown == "user":
        etree.SubElement(body, f"{{{LW}}}user").text = USER
    for row in rows:
        element = etree.SubElement(body, f"{{{LW}}}{shown}")
        for field in SHOWN.get(shown, ()):
            if row[field] is not None:
                etree.SubElement(element, f"{{{LW}}}{field}").text = str(row[field])
    return _envelope(200, etree.tostring(body).decode())


def _fault(code: str, message: str, own: str = "") -> Answer:
    fault = etree.Element(f"{{{SOAP}}}Fault", nsmap={"soap": SOAP, "wsse": WSSE})
    etree.SubElement(fault, "faultcode").text = code
    etree.SubElement(fault, "faultstring").text = message
    if own:
        inner = etree.SubElement(etree.SubElement(fault, "detail"), f"{{{LW}}}LabWareFault")
        etree.SubElement(inner, f"{{{LW}}}code").text = own
        etree.SubElement(inner, f"{{{LW}}}message").text = message
    return _envelope(500, etree.tostring(fault).decode())


def _envelope(status: int, body: str) -> Answer:
    whole = f'<soap:Envelope xmlns:soap="{SOAP}"><soap:Body>{body}</soap:Body></soap:Envelope>'
    return Answer(status, "text/xml; charset=utf-8", whole.encode())


@contextmanager
def serve(folder: Path, traps: Collection[str] = (), port: int = 0) -> Iterator[WebStandIn]:
    """Run the services; the arguments are those of :func:`sandbox.products.labware.rest.serve`."""
    services = Services(LabWareDatabase(folder / "labware.sqlite"), traps)
    with serving(services.answer, port) as origin:
        section = {"contract": "lims_labware_soap", "base_url": f"{origin}{PATH}", "auth_type": "wsse"}
        login = {"username": USER, "password": PASSWORD}
        yield WebStandIn(services.database, {**section, **login}, origin, services.tokens)
