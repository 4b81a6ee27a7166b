"""Runs the integration guide's LIMS samples against the sandbox, typed as printed but for address and key.

The objects that the samples are given (service request, module, execution) are the framework's own in the guide; here
they are plain objects with the same attributes.
"""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import sandbox
from pv_testing.contracts.mapping import validate_mapping
from pv_testing.core.errors import MappingError
from pv_testing.integrations import AuthenticationError, LIMSClient, NetworkError, retry

PRINTED = (Path(__file__).parent / "lims_samples.txt").read_text(encoding="utf-8")
CONFIGURATION = """
lims:
  enabled: true
  provider: "Custom"
  base_url: "{url}"
  auth_type: "api_key"
  api_key: "${{LIMS_API_KEY}}"
  sync_interval: 300
  bidirectional: true
  mappings:
    sample_id_field: "id"
    status_field: "status"
"""


@pytest.fixture(scope="module")
def lab():
    with sandbox.serve() as served:
        yield served


@pytest.fixture
def guide(lab, tmp_path, monkeypatch):
    """The names that the samples define."""
    path = tmp_path / "integrations.yaml"
    path.write_text(CONFIGURATION.format(url=lab.lims_url), encoding="utf-8")
    monkeypatch.setenv("PV_CONFIG", str(path))
    monkeypatch.setenv("LIMS_API_KEY", lab.credentials.lims_api_key)
    text = PRINTED.replace("https://lims.company.com/api/v2", lab.lims_url)
    text = text.replace("YOUR_API_KEY", lab.credentials.lims_api_key)
    names: dict[str, Any] = {
        "AuthenticationError": AuthenticationError,
        "MappingError": MappingError,
        "NetworkError": NetworkError,
        "ServiceRequest": SimpleNamespace(find_by_lims_id=lambda _: None),
        "logger": logging.getLogger("guide"),
        "retry": retry,
    }
    exec(compile(text, "integration guide", "exec"), names)  # the guide's own words are what is tested
    yield SimpleNamespace(**names, names=names)
    names["lims"].close()


def service_request(number: str) -> SimpleNamespace:
    saved = []
    modules = [
        SimpleNamespace(
            serial_number=f"{number}-{place}",
            manufacturer="AST",
            model="M400",
            power_rating=400,
            save=lambda: saved.append(1),
        )
        for place in range(3)
    ]
    return SimpleNamespace(
        sr_number=number,
        status="TESTING_IN_PROGRESS",
        modules=modules,
        customer=SimpleNamespace(name="Solar Corporation"),
        saved=saved,
    )


def execution(module: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(
        module=module,
        protocol_id="PVTP-001",
        protocol=SimpleNamespace(name="STC Power Measurement"),
        completed_at=datetime(2025, 11, 13, 15, 30, tzinfo=timezone.utc),
        operator=SimpleNamespace(name="O. Perez"),
        results={
            "measurements": [
                {"parameter": "Pmax", "value": 398.5, "unit": "W", "uncertainty": 1.2},
                {"parameter": "Voc", "value": 48.2, "unit": "V", "qc_status": "FAIL"},
            ]
        },
    )


def test_samples_are_created_once_and_their_ids_stored(guide, lab):
    sr = service_request("SR-GUIDE-1")
    guide.on_service_request_created(sr)
    guide.on_service_request_created(sr)
    stored = {sample["external_id"]: sample["id"] for sample in lab.samples("SR-GUIDE-1")}
    assert stored == {module.serial_number: module.lims_sample_id for module in sr.modules}
    assert len(sr.saved) == 6


def test_results_are_uploaded_once(guide, lab):
    sr = service_request("SR-GUIDE-2")
    guide.on_service_request_created(sr)
    first = guide.sync_results_to_lims(execution(sr.modules[0]))
    again = guide.sync_results_to_lims(execution(sr.modules[0]))
    (kept,) = [r for r in lab.results() if r["sample_id"] == sr.modules[0].lims_sample_id]
    assert first["id"] == again["id"]
    assert kept["revision"] == 1


def test_statuses_go_both_ways(guide, lab):
    sr = service_request("SR-GUIDE-3")
    guide.on_service_request_created(sr)
    sync = guide.LIMSSync()
    sync.sync_status_from_lims()
    lab.receive("SR-GUIDE-3")
    for module in sr.modules:
        sync.sync_status_to_lims(SimpleNamespace(status=sr.status, lims_sample_id=module.lims_sample_id))
    assert {sample["status"] for sample in lab.samples("SR-GUIDE-3")} == {"In Testing"}
    sync.lims.close()


def test_wrong_credentials_are_an_authentication_error(guide, lab, caplog):
    with LIMSClient(base_url=lab.lims_url, api_key="wrong-key-0815") as client:
        guide.names["client"] = client
        guide.debug_authentication()
    assert "Auth failed" in caplog.text
    assert "wrong-key-0815" not in caplog.text


def test_a_network_error_is_retried(guide, lab, monkeypatch):
    sr = service_request("SR-GUIDE-4")
    guide.on_service_request_created(sr)
    monkeypatch.setattr("time.sleep", lambda _: None)
    calls = []

    def upload(data):
        calls.append(data)
        if len(calls) < 3:
            raise NetworkError("connection refused")
        return {"id": "RES-1"}

    guide.names["lims"] = SimpleNamespace(upload_results=upload, close=guide.lims.close)
    assert guide.sync_with_retry({"sample_id": "LIM-1"}) == {"id": "RES-1"}
    assert len(calls) == 3


def test_results_may_be_given_as_one_mapping(guide, lab):
    sr = service_request("SR-GUIDE-5")
    guide.on_service_request_created(sr)
    data = {
        "sample_id": sr.modules[0].lims_sample_id,
        "test_id": "PVTP-001",
        "test_name": "STC Power Measurement",
        "test_date": "2025-11-13T15:30:00Z",
        "operator": "O. Perez",
        "results": [{"analyte": "Pmax", "value": 398.5, "unit": "W", "status": "PASS"}],
    }
    assert guide.sync_with_retry(data)["id"].startswith("RES-")


@pytest.mark.parametrize("place", ["guide", "package"])
def test_a_missing_field_is_a_mapping_error(guide, place):
    check = guide.validate_mapping if place == "guide" else validate_mapping
    check({"sr_number": "SR-1"}, {"sr_number": "ProjectID"})
    with pytest.raises(MappingError, match="Missing field: customer_name"):
        check({"sr_number": "SR-1"}, {"customer_name": "ClientName"})
