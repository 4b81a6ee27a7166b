"""Name and password among the arguments of SOAP: put in when an envelope is written, and only where they belong."""

from __future__ import annotations

import pytest
from lxml import etree

from pv_testing.config import system_config
from pv_testing.contracts import load_contract
from pv_testing.core.errors import ConfigError
from pv_testing.providers.session import make_auth
from pv_testing.transports.wsse import Arguments

SERVICE = "http://www.startest.com/webservices/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
KNOWN = {"username": "ada", "password": "p <w> & 0815"}
URL = "https://lims.example/services/generic.asmx"


def written(json: dict[str, object], **query: str) -> bytes:
    """Return an envelope of the contract's WSDL with the arguments of a call."""
    port = load_contract("lims_starlims_soap").soap
    assert port is not None
    assert port.texts is not None
    assert port.credentials is not None
    arguments = {**port.texts.arguments(query, json), **dict.fromkeys(port.credentials, "")}
    return port.message("RunActionDirect", arguments).body


def arguments(envelope: bytes) -> dict[str, str | None]:
    body = etree.fromstring(envelope).find("./{*}Body/*")
    assert body is not None
    return {child.tag.rpartition("}")[2]: child.text for child in body}


def test_the_credentials_are_put_in_and_are_not_there_before() -> None:
    envelope = written({"a": 1}, actionID="PV.Do")
    assert b"0815" not in envelope
    sealed = Arguments(*KNOWN.values(), ("UserName", "Password")).seal(envelope)
    assert arguments(sealed)["UserName"] == "ada"
    assert arguments(sealed)["Password"] == "p <w> & 0815"
    assert arguments(sealed)["actionID"] == "PV.Do"


def test_a_field_of_a_record_that_is_called_like_one_stays_as_it_is() -> None:
    inner = b"<Data><Password>of the record</Password></Data>"
    root = etree.fromstring(written({}, actionID="PV.Do"))
    operation = root.find("./{*}Body/*")
    assert operation is not None
    operation.append(etree.fromstring(inner))
    sealed = Arguments(*KNOWN.values(), ("UserName", "Password")).seal(etree.tostring(root))
    assert inner in sealed


def test_a_text_in_a_list_of_anything_says_that_it_is_text() -> None:
    root = etree.fromstring(written({"SampleId": "S-1"}, actionID="PV.Do", status="Received"))
    (item,) = root.findall(".//{*}anyType")
    assert item.get(f"{{{XSI}}}type") == "xs:string"
    assert item.text == '{"status": "Received", "SampleId": "S-1"}'
    assert arguments(etree.tostring(root)).keys() == {"actionID", "parameters", "UserName", "Password"}


def test_a_call_without_fields_has_no_text() -> None:
    assert b"anyType" not in written({}, actionID="PV.WhoAmI")


@pytest.mark.parametrize(("contract", "words"), [("lims_custom", "is for SOAP"), ("lims_soap", "soap.credentials")])
def test_a_service_without_such_arguments_is_refused(contract: str, words: str) -> None:
    config = system_config("lims", URL, auth_type="soap_arguments", contract=contract, **KNOWN)
    with pytest.raises(ConfigError, match=words):
        make_auth(config, load_contract(contract))


def test_neither_is_shown() -> None:
    assert "0815" not in repr(Arguments(*KNOWN.values(), ("UserName", "Password")))


def test_a_contract_may_have_its_own_word_before_a_token() -> None:
    config = system_config("lims", URL, auth_type="bearer", token="t-081500", contract="lims_labvantage")
    assert make_auth(config, load_contract("lims_labvantage")).current() == {"Authorization": "Token t-081500"}
