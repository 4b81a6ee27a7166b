"""The shipped SOAP contract against a strict SOAP server: each record exactly once, whatever becomes of the answers."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

import sandbox
from pv_testing.contracts import load_contract
from pv_testing.core.errors import AuthenticationError, IntegrationError, NotFound, Rejected
from pv_testing.core.places import contract_path
from pv_testing.core.records import Result
from pv_testing.core.sync import run
from pv_testing.integrations import FrameworkClient, LIMSClient
from pv_testing.ledger import Ledger
from pv_testing.samples.intake import create_samples
from pv_testing.samples.results import upload_results
from pv_testing.samples.statuses import pull_statuses, push_statuses
from tests import yaml_text
from tests.integration import soap_lims

SAMPLE = {"external_id": "SN1", "project_id": "SR-1", "sample_type": "PV Module", "customer": "Helios"}
RESULTS = {
    "execution_id": "5678",
    "test_id": "PVTP-001",
    "test_name": "STC power",
    "test_date": "2025-11-12T15:30:00+01:00",
    "operator": "Ada Volt",
    "results": [
        {"analyte": "Pmax", "value": "0.40250", "unit": "kW", "uncertainty": 0.002, "status": "PASS"},
        {"analyte": "Crack", "value": "none, <5 µm & dry", "unit": "", "status": "CONDITIONAL"},
    ],
}
LOST = ["drop", "drop before", "server fault", "garbage", "half", "other", "busy"]


@pytest.fixture
def server():
    with soap_lims.serve() as running:
        yield running


@pytest.fixture
def contract(tmp_path):
    """Give the shipped contract, which waits less here for what a look-up sees."""
    for name in ("lims_soap.yaml", "lims_soap.wsdl"):
        text = (contract_path("lims_soap").parent / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("horizon: 5", "horizon: 0.05"), encoding="utf-8")
    return tmp_path / "lims_soap.yaml"


@pytest.fixture
def ledger(tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as opened:
        yield opened


@pytest.fixture
def lims(server, contract, ledger):
    with client(server, contract, ledger) as opened:
        yield opened


def client(server, contract, ledger=None, password=soap_lims.PASSWORD) -> LIMSClient:
    return LIMSClient(
        server.url,
        contract=str(contract),
        auth_type="basic",
        username=soap_lims.USER,
        password=password,
        ledger=ledger,
    )


def samples(number: int, **other: Any) -> list[dict[str, Any]]:
    return [{**SAMPLE, "external_id": f"SN{place:03}", **other} for place in range(number)]


def test_the_credentials_are_checked_and_the_wsdl_is_never_fetched(lims, server, contract):
    assert lims.identity() == soap_lims.USER
    with client(server, contract, password="wrong-0815") as stranger, pytest.raises(AuthenticationError) as caught:
        stranger.identity()
    assert "wrong-0815" not in str(caught.value)
    assert server.calls["GET"] == 0


def test_a_sample_arrives_as_the_map_says_and_only_once(lims, server):
    created = lims.create_sample(**SAMPLE, metadata={"model": "M<400>", "power_rating": "400.50"})
    again = lims.create_sample(**SAMPLE, metadata={"model": "M<400>", "power_rating": "400.50"})
    assert created["id"] == again["id"] == "LIM-000001"
    (stored,) = server.samples
    assert (stored["model"], stored["power_rating"], stored["customer"]) == ("M<400>", "400.50", "Helios")
    assert server.calls["CreateSample"] == 1


def test_a_changed_sample_is_updated_in_place(lims, server):
    lims.create_sample(**SAMPLE)
    lims.create_sample(**{**SAMPLE, "customer": "Fjord"})
    (stored,) = server.samples
    assert stored["customer"] == "Fjord"
    assert server.calls["UpdateSample"] == 1


@pytest.mark.parametrize("fate", LOST)
def test_no_sample_is_lost_or_doubled_when_the_answer_is(lims, server, fate):
    server.plan["CreateSample"] = ["ok", fate, "ok", fate, fate]
    report = lims.create_samples(samples(8))
    assert report.error is None
    assert {outcome.result for outcome in report.outcomes} <= {Result.CREATED, Result.ADOPTED}
    stored = [sample["external_id"] for sample in server.samples]
    assert sorted(stored) == sorted(sample["external_id"] for sample in samples(8))
    adopted = [outcome for outcome in report.outcomes if outcome.result is Result.ADOPTED]
    assert len(adopted) == (0 if fate in {"busy", "drop before"} else 3)


@pytest.mark.parametrize("fate", LOST)
def test_no_result_set_is_lost_or_doubled_when_the_answer_is(lims, server, fate):
    sample_id = lims.create_sample(**SAMPLE)["id"]
    server.plan["SubmitResults"] = [fate, fate]
    lims.upload_results(sample_id, RESULTS)
    lims.upload_results(sample_id, RESULTS)
    (stored,) = server.results
    assert (stored["revision"], stored["test_date"]) == ("1", "2025-11-12T14:30:00Z")
    pmax, crack = stored["values"]
    assert (pmax["value"], pmax["unit"], pmax["uncertainty"], pmax["status"]) == ("402.5", "W", "2.0", "PASS")
    assert (crack["value"], crack["status"]) == ("none, <5 µm & dry", "CONDITIONAL")


def test_a_corrected_result_set_is_an_amendment(lims, server):
    sample_id = lims.create_sample(**SAMPLE)["id"]
    lims.upload_results(sample_id, RESULTS)
    server.plan["SubmitResults"] = ["drop"]
    lims.upload_results(sample_id, {**RESULTS, "operator": "Eve Ohm"})
    assert [(kept["revision"], kept["operator"]) for kept in server.results] == [("1", "Ada Volt"), ("2", "Eve Ohm")]


@pytest.mark.parametrize("fate", ["ok", "drop", "server fault"])
def test_a_status_is_set_once_and_a_refused_one_is_a_conflict(lims, server, fate):
    sample_id = lims.create_sample(**SAMPLE)["id"]
    server.plan["SetSampleStatus"] = [fate]
    assert lims.update_sample_status(sample_id, "Testing Complete")["id"] == sample_id
    with pytest.raises(Rejected) as caught:
        lims.update_sample_status(sample_id, "Received")
    assert (caught.value.code, server.samples[0]["status"]) == ("INVALID_TRANSITION", "Testing Complete")
    assert "can't become" in str(caught.value)


def test_a_fault_of_the_caller_s_side_is_refused_whatever_http_says(lims, server, monkeypatch):
    for status in (500, 200, 400):
        refuse = partial(fault, "soap:Client", "no such customer", "CUSTOMER", status)
        monkeypatch.setattr(server, "create", refuse)
        with pytest.raises(Rejected, match="no such customer") as caught:
            lims.create_sample(**{**SAMPLE, "external_id": f"SN-{status}"})
        assert caught.value.code == "CUSTOMER"
    assert server.calls["CreateSample"] == 3
    assert server.calls["FindSamples"] == 0


@pytest.mark.parametrize(
    ("code", "kind"), [("soap:Client.Authentication", AuthenticationError), ("urn:x:Sender", Rejected)]
)
def test_a_fault_is_what_its_code_says(lims, server, monkeypatch, code, kind):
    monkeypatch.setattr(server, "create", partial(fault, code, "no", "", 500))
    report = lims.create_samples([SAMPLE])
    (outcome,) = report.outcomes
    if kind is AuthenticationError:
        assert isinstance(report.error, AuthenticationError)
    else:
        assert outcome.result is Result.REJECTED


def test_a_word_of_the_system_s_own_is_unclear_until_it_is_looked_up(lims, server, monkeypatch):
    create = server.create

    def commits_and_fails(row):
        create(row)
        fault("LIMS-4711", "ORA-00060", "", 500)

    monkeypatch.setattr(server, "create", commits_and_fails)
    (outcome,) = lims.create_samples([SAMPLE]).outcomes
    assert (outcome.result, outcome.external_id, len(server.samples)) == (Result.ADOPTED, "LIM-000001", 1)


def test_what_can_t_be_read_is_never_a_success(server, contract, ledger, monkeypatch):
    text = contract.read_text(encoding="utf-8")
    text = text.replace("  rules:\n", "  rules:\n    - {status: 500, contains: done, verdict: ok}\n")
    contract.write_text(text, encoding="utf-8")
    create = server.create

    def commits_and_says_so_as_html(row):
        create(row)
        raise soap_lims.RawError(b"<p>done</p>", 500)

    monkeypatch.setattr(server, "create", commits_and_says_so_as_html)
    with client(server, contract, ledger) as lims:
        (outcome,) = lims.create_samples([SAMPLE]).outcomes
    assert (outcome.result, server.calls["FindSamples"], len(server.samples)) == (Result.ADOPTED, 1, 1)


def fault(code, reason, detail, status, *_):
    raise soap_lims.FaultError(code, reason, detail, status)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"metadata": {"model": "a\x00b"}}, "SOAP_ARGUMENTS"),
        ({"metadata": {"power_rating": "many"}}, "NOT_A_NUMBER"),
        ({"customer": ""}, "FIELD_MISSING"),
        ({"customer": "x" * 300}, "SCHEMA"),
    ],
)
def test_one_bad_record_waits_and_the_others_go_on(lims, server, wrong, code):
    report = lims.create_samples([*samples(2), {**SAMPLE, "external_id": "BAD", **wrong}])
    results = {outcome.key: (outcome.result.in_effect, outcome.code) for outcome in report.outcomes}
    assert results == {"SR-1/SN000": (True, ""), "SR-1/SN001": (True, ""), "SR-1/BAD": (False, code)}
    assert len(server.samples) == 2


def test_listings_come_in_pages(lims, server):
    lims.create_samples(samples(230))
    calls = server.calls["ListSamples"]
    assert len(lims.get_samples_by_status("Pending Receipt")) == 230
    assert server.calls["ListSamples"] - calls == 3
    assert lims.find_sample("SN007", "SR-1")["updated_at"] == "2025-11-13T07:00:00Z"
    assert lims.find_sample("SN007", "SR-2") is None


def test_a_read_is_repeated_when_its_answer_is_lost(lims, server):
    ids = lims.create_samples(samples(2)).external_ids()
    server.plan["ListSamples"] = ["drop", "server fault", "garbage"]
    assert len(lims.get_samples_by_status("Pending Receipt")) == 2
    assert server.calls["ListSamples"] == 4
    (second,) = (sample_id for key, sample_id in ids.items() if key.endswith("SN001"))
    assert lims.call("get_sample", sample_id=second)["sample"]["external_id"] == "SN001"
    with pytest.raises(NotFound, match="no sample LIM-9"):
        lims.call("get_sample", sample_id="LIM-9")


def test_look_ups_ask_for_many_at_a_time(server, contract, ledger, tmp_path):
    with client(server, contract, ledger) as first:
        first.create_samples(samples(150))
    text = contract.read_text(encoding="utf-8").replace(
        "on_change: update", "on_change: update\n    look_first: true", 1
    )
    contract.write_text(text, encoding="utf-8")
    with Ledger.in_memory() as forgetful, client(server, contract, forgetful) as second:
        report = second.create_samples(samples(150))
    assert {outcome.result for outcome in report.outcomes} == {Result.ADOPTED}
    assert (len(server.samples), server.calls["FindSamples"]) == (150, 2)


def test_an_answer_that_is_too_large_is_not_read(server, contract, ledger):
    contract.write_text(
        contract.read_text(encoding="utf-8").replace("response_bytes: 16777216", "response_bytes: 4096"),
        encoding="utf-8",
    )
    with client(server, contract, ledger) as lims:
        lims.create_samples(samples(100))
        with pytest.raises(IntegrationError) as caught:
            lims.get_samples_by_status("Pending Receipt")
    assert caught.value.code == "RESPONSE_TOO_LARGE"


def test_a_document_type_in_an_answer_is_refused(lims, server, monkeypatch):
    bomb = b'<!DOCTYPE e [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    whole = soap_lims.envelope
    monkeypatch.setattr(soap_lims, "envelope", lambda inner: bomb + whole(inner))
    with pytest.raises(IntegrationError) as caught:
        lims.get_samples_by_status("Pending Receipt")
    assert caught.value.code == "NOT_SOAP"


def test_the_workflows_carry_a_service_request_by_soap(server, contract, ledger):
    plan = sandbox.SeedPlan(modules=4, protocols=2)
    with sandbox.serve(seed_plan=plan) as lab, client(server, contract, ledger) as lims:
        known = lab.credentials
        framework = FrameworkClient(
            lab.framework_url, username=known.framework_username, password=known.framework_password, ledger=ledger
        )
        with framework:
            server.plan["CreateSample"] = ["drop", "ok", "half"]
            run(create_samples(framework, lims, [1])).raise_for_waiting()
            assert run(pull_statuses(framework, lims, [1])).total() == 0
            for sample in server.samples:
                sample["status"] = "Received"
            run(pull_statuses(framework, lims, [1])).raise_for_waiting()
            lab.advance(1, "TESTING_IN_PROGRESS")
            lab.run_executions(1)
            server.plan["SubmitResults"] = ["drop", "server fault", "garbage", "busy"]
            run(upload_results(framework, lims, [1])).raise_for_waiting()
            again = run(upload_results(framework, lims, [1]))
            run(push_statuses(framework, lims, [1])).raise_for_waiting()
    assert again.counts()["unchanged"] == 8
    assert len(server.samples) == 4
    assert len({kept["external_id"] for kept in server.results}) == len(server.results) == 8
    assert len({sample["status"] for sample in server.samples}) == 1


WRONG = [
    ({"soap": {"wsdl": "missing.wsdl"}}, "missing.wsdl: can't be used as a WSDL: No such file"),
    ({"soap": {"wsdl": "lims_soap.wsdl", "service": "LimService"}}, "did you mean 'LimsService'"),
    ({"soap": {"wsdl": "https://lims.company.com/?wsdl"}}, "soap.wsdl"),
    ({"soap": None}, "operations.create_sample: misses path"),
    ({"operations": {"get_sample": {"soap": "GetSampel"}}}, "did you mean 'GetSample'"),
    ({"operations": {"get_sample": {"path": "/x"}}}, "operations.get_sample: misses soap"),
    ({"operations": {"get_sample": {"soap": "GetSample", "method": "GET"}}}, "has no meaning for SOAP"),
    ({"operations": {"get_sample": {"soap": "GetSample", "answer": "bytes"}}}, "json or none"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_what_a_contract_gets_wrong_of_its_wsdl_is_said_with_its_line(contract, change, message):
    written = yaml_text.read(contract)
    for name, value in change.items():
        if name == "operations":
            written[name].update(value)
        elif value is None:
            del written[name]
        else:
            written[name] = value
    contract.write_text(yaml_text.dump(written, allow_unicode=True), encoding="utf-8")
    with pytest.raises(IntegrationError) as caught:
        load_contract(contract)
    assert message in str(caught.value)
    assert "lims_soap.yaml:" in str(caught.value)


SCHEMA = "<xs:schema targetN"
IMPORT = f'<xs:schema><xs:import namespace="u" schemaLocation="{{}}"/></xs:schema>{SCHEMA}'
END = "</wsdl:definitions>"
EVIL = [
    ("<wsdl:definitions", '<!DOCTYPE a [<!ENTITY b "c">]><wsdl:definitions', "DTDForbidden"),
    (SCHEMA, IMPORT.format("http://127.0.0.1:9/x.xsd"), "127.0.0.1"),
    (SCHEMA, IMPORT.format("../../../etc/passwd"), "beside it"),
    (SCHEMA, IMPORT.format("file:///etc/passwd"), "beside it"),
    (END, "", "Invalid XML"),
    (END, f"<!-- {'x' * 2**22} -->{END}", "larger than"),
]


@pytest.mark.parametrize(("there", "instead", "message"), EVIL)
def test_a_wsdl_draws_in_nothing_and_has_an_end(contract, there, instead, message):
    wsdl = contract.with_suffix(".wsdl")
    text = wsdl.read_text(encoding="utf-8")
    wsdl.write_text(text.replace(there, instead, 1), encoding="utf-8")
    with pytest.raises(IntegrationError, match="can't be used as a WSDL") as caught:
        load_contract(contract)
    assert caught.value.code == "WSDL_UNUSABLE"
    assert message in str(caught.value)
