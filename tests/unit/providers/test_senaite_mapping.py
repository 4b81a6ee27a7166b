"""What becomes of our records on their way to SENAITE, and what is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from pv_testing.config import SystemConfig
from pv_testing.contracts.load import load_contract
from pv_testing.core.errors import MappingError, ResponseError
from pv_testing.core.records import Record
from pv_testing.providers.senaite import SenaiteProvider
from pv_testing.providers.senaite.provider import described
from pv_testing.providers.senaite.results import results
from pv_testing.transports.auth import Auth
from pv_testing.transports.rest import RestSession, RestSettings


@pytest.fixture
def provider() -> SenaiteProvider:
    contract = load_contract("lims_senaite")
    config = SystemConfig(system="lims", provider="SENAITE", contract="lims_senaite", base_url="http://127.0.0.1:9")
    return SenaiteProvider(config, contract, RestSession(RestSettings("http://127.0.0.1:9"), Auth()))


def record(*measurements: dict[str, Any], protocol: str = "PVTP-001") -> Record:
    data = {
        "execution_id": 5678,
        "lims_sample_id": "a" * 32,
        "protocol_id": protocol,
        "completed_at": "2025-11-12T11:15:00+01:00",
        "operator_name": "Ada Volt",
        "measurements": list(measurements),
    }
    return Record("5678", data)


def measured(parameter: str, value: Any, unit: str, uncertainty: Any = None, verdict: str = "PASS") -> dict[str, Any]:
    return {"parameter": parameter, "value": value, "unit": unit, "uncertainty": uncertainty, "qc_status": verdict}


def test_each_quantity_goes_into_the_analysis_of_its_protocol(provider):
    operation = provider.operation("upload_results")
    payload = operation.prepare(record(measured("Pmax", 412.357, "W", 1.2), measured("Voc", 49.5, "V")))
    pmax, voc = results(payload)
    assert (pmax.keyword, dict(pmax.fields), pmax.unit) == (
        "PVTP001_Pmax",
        {"Result": "412.357", "Uncertainty": "1.2"},
        "W",
    )
    assert (voc.keyword, dict(voc.fields)) == ("PVTP001_Voc", {"Result": "49.5"})
    assert pmax.remarks == "PASS, 2025-11-12T10:15:00Z, Ada Volt"
    assert pmax.marked("5678", 2).startswith("execution 5678, revision 2 [")


def test_the_same_quantity_of_another_protocol_has_another_analysis(provider):
    operation = provider.operation("upload_results")
    (pmax,) = results(operation.prepare(record(measured("Pmax_Final", 390, "W"), protocol="PVTP-018")))
    assert pmax.keyword == "PVTP018_Pmax_Final"


def test_another_unit_of_the_quantity_is_converted_with_its_uncertainty(provider):
    (voc,) = results(provider.operation("upload_results").prepare(record(measured("Voc", 49500, "mV", 50))))
    assert (dict(voc.fields), voc.unit) == ({"Result": "49.5", "Uncertainty": "0.05"}, "V")


@pytest.mark.parametrize(
    ("measurements", "code"),
    [
        ([measured("Nonsense", 1, "W")], "ANALYTE_UNKNOWN"),
        ([measured("Pmax", 1, "W"), measured("Pmax", 2, "W")], "ANALYTE_TWICE"),
        ([measured("Pmax", float("nan"), "W")], "NOT_A_NUMBER"),
        ([measured("Pmax", 1, "V")], "UNIT_MISMATCH"),
    ],
)
def test_what_has_no_place_in_senaite_is_refused_with_a_reason(provider, measurements, code):
    with pytest.raises(MappingError) as refused:
        provider.operation("upload_results").prepare(record(*measurements))
    assert refused.value.code == code


def test_a_sample_is_registered_with_the_analyses_of_its_protocols(provider):
    data = {
        "serial_number": "SN1",
        "sr_number": "SR-1",
        "customer_name": "Fjord",
        "protocols": ["PVTP-010", "PVTP-999"],
    }
    payload = provider.operation("create_sample").prepare(Record("SR-1/SN1", data))
    assert payload == {
        "client": "Fjord",
        "SampleType": "PV Module",
        "ClientReference": "SR-1",
        "Analyses": ["PVTP010_Insulation", "PVTP010_Test_Voltage"],
    }


def test_the_words_of_the_guide_are_understood(provider):
    operation = provider.operation("update_sample_status")
    payload = operation.prepare(Record("SR-1/SN1", {"lims_sample_id": "a" * 32, "lims_status": "In Testing"}))
    assert payload["review_state"] == "sample_received"


def test_a_sample_is_described_as_every_lims_contract_does():
    item = {"uid": "u", "getId": "PVM-0001", "getClientSampleID": "SR/1/SN/1", "getClientReference": "SR/1"}
    sample = described({**item, "review_state": "sample_due"})
    found = tuple(sample[name] for name in ("id", "sample_id", "project_id", "external_id", "status"))
    assert found == ("u", "PVM-0001", "SR/1", "SN/1", "sample_due")


@pytest.mark.parametrize("state", ["sample_registered", "to_be_sampled", "sample_due"])
def test_every_state_before_receipt_counts_as_awaited(state):
    assert described({"uid": "u", "review_state": state})["status"] == "sample_due"


def test_something_else_than_a_sample_is_noticed():
    with pytest.raises(ResponseError):
        described({"uid": "u"})
