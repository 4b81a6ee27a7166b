"""A SOAP service of strings alone, over TLS and with WS-Security: each record exactly once, and no secret anywhere."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from pv_testing.config import system_config
from pv_testing.core.errors import AuthenticationError, ConfigError, NetworkError, Rejected, SecurityError
from pv_testing.core.places import contract_path
from pv_testing.core.records import Result
from pv_testing.integrations import LIMSClient, connect
from pv_testing.ledger import Ledger
from pv_testing.testing.finding import TrialVerdict
from pv_testing.testing.suite import try_system
from sandbox import sapphire
from tests.unit.transports.certificates import Authority

SAMPLE = {"external_id": "SN1", "project_id": "SR-1", "sample_type": "PV Module", "customer": "Helios"}
RESULTS = {
    "execution_id": "5678",
    "test_id": "PVTP-001",
    "test_date": "2025-11-12T15:30:00+01:00",
    "operator": "Ada Volt",
    "results": [
        {"analyte": "Pmax", "value": "0.40250", "unit": "kW", "uncertainty": 0.002, "status": "PASS"},
        {"analyte": "Crack", "value": "none, <5 µm & dry", "unit": "", "status": "CONDITIONAL"},
    ],
}
LOST = ["drop", "drop before", "internal", "gateway", "busy"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "Laboratory")


@pytest.fixture(scope="module")
def server_files(authority):
    return authority.issue("lims")


@pytest.fixture(params=["wsse", "wsse_digest"])
def way(request) -> str:
    return request.param


@pytest.fixture
def server(way, authority, server_files):
    security = {"wsse": "text", "wsse_digest": "digest"}[way]
    with sapphire.serve(security, authority.server(server_files)) as running:
        yield running


@pytest.fixture
def contract(tmp_path):
    for name in ("lims_sapphire.yaml", "lims_sapphire.wsdl"):
        text = (contract_path("lims_sapphire").parent / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("horizon: 5", "horizon: 0.05"), encoding="utf-8")
    return str(tmp_path / "lims_sapphire.yaml")


@pytest.fixture
def known(authority, contract, way) -> dict[str, Any]:
    user = {"username": sapphire.USER, "password": sapphire.PASSWORD}
    return {"auth_type": way, "contract": contract, "ca_cert": authority.file, **user}


@pytest.fixture
def ledger(tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as opened:
        yield opened


@pytest.fixture
def lims(server, known, ledger):
    with LIMSClient(server.url, ledger=ledger, **known) as client:
        yield client


def samples(number: int) -> list[dict[str, Any]]:
    return [{**SAMPLE, "external_id": f"SN{each:03}"} for each in range(number)]


def test_the_token_says_who_asks(lims):
    assert lims.identity() == sapphire.USER


def test_a_wrong_password_is_refused_and_never_said(server, known, ledger, caplog):
    caplog.set_level(logging.DEBUG)
    stranger = LIMSClient(server.url, ledger=ledger, **{**known, "password": "wrong-0815"})
    with stranger, pytest.raises(AuthenticationError) as caught:
        stranger.identity()
    assert "wrong-0815" not in str(caught.value) + caplog.text + repr(stranger.config)


def test_a_sample_arrives_as_a_string_and_only_once(lims, server):
    given = {**SAMPLE, "metadata": {"model": "M<400> & more"}}
    created, again = lims.create_sample(**given), lims.create_sample(**given)
    assert created["id"] == again["id"] == "S-000001"
    (row,) = server.rows["Sample"]
    assert (row["model"], row["customer"]) == ("M<400> & more", "Helios")
    lims.create_sample(**{**given, "customer": "Fjord"})
    assert [row["customer"] for row in server.rows["Sample"]] == ["Fjord"]


@pytest.mark.parametrize("fate", LOST)
def test_no_record_is_lost_or_doubled_when_the_answer_is(lims, server, fate):
    server.plan["AddSample"] = ["ok", fate, "ok", fate, fate]
    report = lims.create_samples(samples(8))
    assert report.error is None
    assert {outcome.result for outcome in report.outcomes} <= {Result.CREATED, Result.ADOPTED}
    stored = [row["externalreference"] for row in server.rows["Sample"]]
    assert sorted(stored) == sorted(sample["external_id"] for sample in samples(8))
    sample_id = report.external_ids()["SR-1/SN000"]
    server.plan["AddDataSet"] = [fate, fate]
    lims.upload_results(sample_id, RESULTS)
    lims.upload_results(sample_id, {**RESULTS, "operator": "Eve Ohm"})
    assert [row["revision"] for row in server.rows["DataSet"]] == ["1", "2"]
    assert [each["enteredtext"] for each in server.rows["DataSet"][0]["dataitem"]] == ["402.5", "none, <5 µm & dry"]


def test_an_error_in_a_string_is_a_refusal(lims, server):
    (outcome,) = lims.create_samples([{**SAMPLE, "customer": "Nobody"}]).outcomes
    assert (outcome.result, outcome.code) == (Result.REJECTED, "REFUSED")
    assert "there is no customer Nobody" in outcome.reason
    sample_id = lims.create_sample(**{**SAMPLE, "external_id": "SN2"})["id"]
    lims.update_sample_status(sample_id, "Completed")
    with pytest.raises(Rejected, match="can't become") as caught:
        lims.update_sample_status(sample_id, "Received")
    assert caught.value.code == "INVALID_TRANSITION"
    assert len(server.rows["Sample"]) == 1


def test_the_contract_holds_against_the_service_and_its_evidence_has_no_secret(server, known):
    findings = try_system(system_config("lims", server.url, **known), patience=5)
    assert [str(finding) for finding in findings if finding.verdict is TrialVerdict.FAILS] == []
    assert sapphire.PASSWORD not in "".join(map(str, findings))


@pytest.mark.parametrize("way", ["wsse"], indirect=True)
def test_a_client_certificate_stands_alone_or_beside_a_token(authority, server_files, known, ledger, way):
    files = authority.issue("integration")
    certificate = {"client_cert": files.certificate, "client_key": files.key}
    with sapphire.serve("text", authority.server(server_files, clients=authority)) as server:
        with LIMSClient(server.url, ledger=ledger, **known, **certificate) as lims:
            assert lims.create_sample(**SAMPLE)["id"] == "S-000001"
        with (
            LIMSClient(server.url, ledger=ledger, **known) as without,
            # One in sixty writes meets a socket that the service has closed before its alert was read.
            pytest.raises((SecurityError, NetworkError), match=r"(?i)certificate|broken pipe"),
        ):
            without.identity()
    with sapphire.serve("", authority.server(server_files, clients=authority)) as server:
        alone = {"contract": known["contract"], "ca_cert": authority.file, "auth_type": "mtls", **certificate}
        with LIMSClient(server.url, ledger=ledger, **alone) as lims:
            assert lims.identity() == sapphire.USER


@pytest.mark.parametrize("way", ["wsse"], indirect=True)
def test_a_service_whose_certificate_nobody_vouches_for_gets_no_token(server, known, ledger, way):
    given = {name: value for name, value in known.items() if name != "ca_cert"}
    with LIMSClient(server.url, ledger=ledger, **given) as lims, pytest.raises(SecurityError):
        lims.identity()
    assert server.calls == {}


def test_a_token_in_an_envelope_needs_one(way):
    config = system_config(
        "lims", "http://127.0.0.1:1/x", auth_type=way, username="u", password="p", contract="lims_custom"
    )
    with (
        Ledger.in_memory(quiet=True) as ledger,
        connect(config, ledger=ledger) as client,
        pytest.raises(ConfigError, match="is for SOAP") as caught,
    ):
        client.identity()
    assert caught.value.code == "AUTH_TYPE"
