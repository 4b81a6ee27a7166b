"""WSDLs of other kinds than the shipped one, and answers that no honest service gives."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from pv_testing.contracts.fault import SOAP_11, SOAP_12, Fault
from pv_testing.contracts.wsdl import Port, load_port
from pv_testing.core.errors import ConfigError, MappingError, ResponseError
from pv_testing.core.places import contract_path

WSDL = contract_path("lims_soap").with_suffix(".wsdl").read_text(encoding="utf-8")
SOAP = "http://schemas.xmlsoap.org/wsdl/soap/"
RPC = """
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
                  xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:message name="Asked"><wsdl:part name="number" type="xs:string"/></wsdl:message>
  <wsdl:message name="Told"><wsdl:part name="power" type="xs:decimal"/></wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="Rate">
    <wsdl:input message="t:Asked"/><wsdl:output message="t:Told"/>
  </wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="t:P">
    <soap:binding transport="http://schemas.xmlsoap.org/soap/http" style="rpc"/>
    <wsdl:operation name="Rate"><soap:operation soapAction="rate"/>
      <wsdl:input><soap:body use="literal" namespace="urn:t"/></wsdl:input>
      <wsdl:output><soap:body use="literal" namespace="urn:t"/></wsdl:output>
    </wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="S"><wsdl:port name="Q" binding="t:B"><soap:address location="x"/></wsdl:port></wsdl:service>
</wsdl:definitions>
"""
ONE_WAY = """
      <wsdl:output><soap:body use="literal" namespace="urn:t"/></wsdl:output>"""
TREE = """
<xs:complexType name="Node">
  <xs:sequence><xs:element name="node" type="lims:Node" minOccurs="0"/><xs:any minOccurs="0"/></xs:sequence>
</xs:complexType>
<xs:element name="Tree" type="lims:Node"/>
<xs:element name="WhoAmI">"""


@pytest.fixture
def make(tmp_path: Path):
    def made(text: str = WSDL, *changes: tuple[str, str]) -> Port:
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "service.wsdl"
        path.write_text(text, encoding="utf-8")
        return load_port(path)

    return made


@pytest.fixture
def port(make) -> Port:
    return make()


@pytest.fixture
def tree(make) -> Port:
    """Give a service whose WhoAmI answers with whatever it likes, to any depth."""
    return make(WSDL, ('<xs:element name="WhoAmI">', TREE), ('element="lims:WhoAmIResponse"', 'element="lims:Tree"'))


def envelope(inner: str, namespace: str = SOAP_11) -> bytes:
    parts = f'xmlns:s="{namespace}" xmlns:l="urn:pv-testing:lims:soap" xmlns:t="urn:t"'
    return f"<s:Envelope {parts}><s:Body>{inner}</s:Body></s:Envelope>".encode()


def fault(detail: str) -> bytes:
    return envelope(f"<s:Fault><faultcode>s:Server</faultcode><faultstring>no</faultstring>{detail}</s:Fault>")


def test_soap_1_1_says_the_action_in_a_header_of_its_own(port):
    headers, body = port.message("GetSample", {"id": "LIM-1"})
    assert headers["Content-Type"] == "text/xml; charset=utf-8"
    assert headers["SOAPAction"] == '"urn:pv-testing:lims:soap:GetSample"'
    assert SOAP_11.encode() in body
    assert b"LIM-1" in body


def test_soap_1_2_says_the_action_in_the_content_type(make):
    port = make(WSDL, (SOAP, "http://schemas.xmlsoap.org/wsdl/soap12/"))
    headers, body = port.message("GetSample", {"id": "LIM-1"})
    action = '"urn:pv-testing:lims:soap:GetSample"'
    assert headers == {"Content-Type": f"application/soap+xml; charset=utf-8; action={action}"}
    assert SOAP_12.encode() in body
    response = envelope("<l:WhoAmIResponse><l:user>ada</l:user></l:WhoAmIResponse>", SOAP_12)
    assert port.answer("WhoAmI", response) == {"user": "ada"}


def test_a_fault_of_soap_1_2_is_read(make):
    port = make(WSDL, (SOAP, "http://schemas.xmlsoap.org/wsdl/soap12/"))
    content = """<s:Fault>
      <s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>l:Locked</s:Value></s:Subcode></s:Code>
      <s:Reason><s:Text xml:lang="en">somebody else is at it</s:Text></s:Reason>
      <s:Detail><l:by>Ada</l:by><l:by>Eve</l:by></s:Detail>
    </s:Fault>"""
    found = port.answer("WhoAmI", envelope(content, SOAP_12))
    assert found == Fault("Sender", "Locked", "somebody else is at it", {"by": ["Ada", "Eve"]})
    assert found.is_callers


def test_rpc_is_spoken_too(make):
    port = make(RPC)
    _, body = port.message("Rate", {"number": "SN1"})
    assert b"Rate" in body
    assert b"<number>SN1</number>" in body
    response = "<t:RateResponse><power>402.50</power></t:RateResponse>"
    assert port.answer("Rate", envelope(response)) == {"power": "402.50"}
    with pytest.raises(ResponseError, match="Other instead of RateResponse"):
        port.answer("Rate", envelope(response.replace("RateResponse", "Other")))


def test_arguments_that_the_wsdl_does_not_know_are_refused(port):
    for arguments in ({"id": "1", "colour": "blue"}, {}, {"id": "\x07"}):
        with pytest.raises(MappingError) as refused:
            port.message("GetSample", arguments)
        assert refused.value.code == "SOAP_ARGUMENTS"


def test_elements_that_the_wsdl_leaves_open_come_as_mappings(tree):
    response = "<l:Tree><x><y>2</y><y>3</y></x></l:Tree>"
    assert tree.answer("WhoAmI", envelope(response)) == {"node": None, "_value_1": {"y": ["2", "3"]}}


def test_a_fault_with_very_many_details_is_read_in_no_time(port):
    started = time.monotonic()
    found = port.answer("WhoAmI", fault(f"<detail>{'<a/>' * 200_000}</detail>"))
    assert len(found.detail["a"]) == 200_000
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"<half",
        b"<html/>",
        b'<?xml version="1.0" encoding="utf-99"?><a/>',
        envelope(""),
        envelope("<?x y?>"),
        envelope("<l:WhoAmIResponse><l:colour>blue</l:colour></l:WhoAmIResponse>"),
        b'<!DOCTYPE s [<!ENTITY a "b">]>' + envelope("<l:WhoAmIResponse/>"),
        b'<!DOCTYPE s SYSTEM "file:///etc/passwd">' + envelope("<l:WhoAmIResponse/>"),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(port, content):
    with pytest.raises(ResponseError) as refused:
        port.answer("WhoAmI", content)
    assert refused.value.code == "NOT_SOAP"
    assert len(str(refused.value)) < 400


def test_a_deep_answer_is_read_or_refused(tree):
    for depth in (50, 240, 100_000):
        content = envelope(f"<l:Tree>{'<l:node>' * depth}{'</l:node>' * depth}</l:Tree>")
        if depth == 50:
            assert tree.answer("WhoAmI", content)["node"]["node"]
        else:
            with contextlib.suppress(ResponseError):
                tree.answer("WhoAmI", content)


def test_entities_that_multiply_are_not_followed(port):
    many = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE s [<!ENTITY a0 "ha">{many}]>'.encode() + envelope('<l:WhoAmIResponse x="&a9;"/>')
    with pytest.raises(ResponseError):
        port.answer("WhoAmI", bomb)


def test_a_schema_beside_the_wsdl_is_read_and_one_that_a_link_leads_to_is_not(tmp_path):
    folder, types = tmp_path / "mappings", tmp_path / "types.xsd"
    folder.mkdir()
    types.write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:u">'
        '<xs:simpleType name="Number"><xs:restriction base="xs:string"/></xs:simpleType></xs:schema>'
    )
    imported = (
        '<wsdl:types><xs:schema><xs:import namespace="urn:u" schemaLocation="types.xsd"/></xs:schema></wsdl:types>'
    )
    asked = '<wsdl:message name="Asked">'
    wsdl = folder / "service.wsdl"
    wsdl.write_text(RPC.replace(asked, imported + asked).replace('"xs:string"', '"u:Number" xmlns:u="urn:u"'))
    (folder / "types.xsd").symlink_to(types)
    with pytest.raises(ConfigError, match="in a file beside it"):
        load_port(wsdl)
    types.replace(folder / "types.xsd")
    assert b"SN1" in load_port(wsdl).message("Rate", {"number": "SN1"}).body


def test_a_port_that_is_not_soap_is_refused(make):
    with pytest.raises(ConfigError) as refused:
        make(
            RPC,
            ("http://schemas.xmlsoap.org/wsdl/soap/", "http://schemas.xmlsoap.org/wsdl/http/"),
            ('style="rpc"', 'verb="GET"'),
            ('soapAction="rate"', 'location="rate"'),
            ('<soap:body use="literal" namespace="urn:t"/>', "<soap:urlEncoded/>"),
        )
    assert refused.value.code == "WSDL_UNUSABLE"


TYPES = ("date", "dateTime", "base64Binary", "integer", "decimal", "boolean", "string")


def test_values_of_every_type_come_as_json_knows_them(make):
    parts = "".join(f'<wsdl:part name="a_{name}" type="xs:{name}"/>' for name in TYPES)
    port = make(RPC, ('<wsdl:part name="power" type="xs:decimal"/>', parts))
    texts = ("2025-11-12", "2025-11-12T15:30:00+01:00", "UEQ=", "12345678901234567890", "398.50", "true", "SN001")
    values = "".join(f"<a_{name}>{text}</a_{name}>" for name, text in zip(TYPES, texts, strict=True))
    body = f'<t:RateResponse xmlns:t="urn:t">{values}</t:RateResponse>'
    answer = port.answer("Rate", f'<s:Envelope xmlns:s="{SOAP_11}"><s:Body>{body}</s:Body></s:Envelope>'.encode())
    assert answer == {
        "a_date": "2025-11-12",
        "a_dateTime": "2025-11-12T14:30:00Z",
        "a_base64Binary": "UEQ=",
        "a_integer": "12345678901234567890",
        "a_decimal": "398.50",
        "a_boolean": True,
        "a_string": "SN001",
    }


def test_an_operation_without_an_answer_answers_nothing(make):
    port = make(RPC, ('<wsdl:output message="t:Told"/>', ""), (ONE_WAY, ""))
    assert port.answer("Rate", b"") is None
    assert port.answer("Rate", f'<s:Envelope xmlns:s="{SOAP_11}"><s:Body/></s:Envelope>'.encode()) is None


def test_a_service_or_port_that_the_wsdl_lacks_is_named_with_those_that_it_has(tmp_path: Path):
    path = tmp_path / "service.wsdl"
    path.write_text(RPC, encoding="utf-8")
    with pytest.raises(ConfigError, match="has no service 'Rates'; allowed: S"):
        load_port(path, "Rates")
    with pytest.raises(ConfigError, match="has no port 'R'; allowed: Q"):
        load_port(path, "S", "R")
