"""Shows that receipt is what the LIMS says of each sample, and never that a listing doesn't show it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pv_testing.core.errors import ConfigError, ExchangeIncomplete
from pv_testing.integrations import LIMSClient
from tests import yaml_text
from tests.shipped import PROJECT

CONTRACT = PROJECT / "include" / "mappings" / "lims_custom.yaml"


def altered(path: Path, *, blind: bool = True, look_up: bool = True) -> Path:
    """Write the shipped contract for a laboratory that inspects modules at their receipt, and return its file.

    Args:
        path: where it is written.
        blind: whether the listing shows no sample, as that of a system that is behind.
        look_up: whether the contract says how the status of one sample is looked up.
    """
    content = yaml_text.read(CONTRACT)
    content["vocabularies"]["receipt"]["in"] = {"Received": "INSPECTION_COMPLETE"}
    if blind:
        content["operations"]["get_samples"]["query"]["external_id"] = {"const": "no such module"}
    if not look_up:
        del content["operations"]["update_sample_status"]["find"]
        content["operations"]["update_sample_status"]["person"] = True
    path.write_text(yaml_text.dump(content, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def blind(laboratory, tmp_path):
    """Return a function that starts a laboratory whose LIMS lists no sample."""

    def start(*, contract=None, **plan):
        trip = laboratory(**plan)
        trip.intake().raise_for_waiting()
        trip.lims.close()
        file = contract or altered(tmp_path / "lims_blind.yaml")
        known = trip.lab.credentials
        trip.lims = LIMSClient(
            trip.lab.lims_url, api_key=known.lims_api_key, contract=str(file), ledger=trip.ledger, owner="test"
        )
        return trip

    return start


def status(trip) -> str:
    (request,) = trip.lab.service_requests()
    return request["status"]


def test_a_sample_that_no_listing_shows_is_not_received(blind):
    trip = blind(state="new", modules=3, protocols=1)
    before = status(trip)
    assert trip.pull().total() == 0
    assert status(trip) == before
    *most, last = [sample["id"] for sample in trip.lab.samples()]
    trip.lab.receive(ids=most)
    assert trip.pull().total() == 0
    trip.lab.receive(ids=[last])
    trip.pull().raise_for_waiting()
    assert status(trip) == "INSPECTION_COMPLETE"


def test_a_sample_that_no_listing_shows_gets_no_status(blind):
    trip = blind(state="complete", modules=2, protocols=1)
    (first, _) = [sample["id"] for sample in trip.lab.samples()]
    trip.lab.receive(ids=[first])
    report = trip.push()
    assert (report.counts()["updated"], report.not_in_effect()) == (1, [])
    assert report.notes == ["1 samples aren't received yet; their status follows"]
    trip.lab.receive()
    assert trip.push().counts()["updated"] == 1


def test_samples_that_have_been_told_a_status_are_not_read_again(blind):
    trip = blind(state="complete", modules=6, protocols=1)
    trip.lab.receive()
    assert trip.push().counts()["updated"] == 6
    before = len(trip.lab.requests("lims"))
    assert trip.push().counts()["unchanged"] == 6
    assert [request["path"] for request in trip.lab.requests("lims")[before:]] == ["/api/v2/samples"]


def test_a_request_of_which_samples_are_awaited_costs_one_listing(blind, tmp_path):
    contract = altered(tmp_path / "lims_seeing.yaml", blind=False)
    trip = blind(contract=contract, state="new", modules=6, protocols=1)
    trip.lab.receive(ids=[sample["id"] for sample in trip.lab.samples()][1:])
    before = len(trip.lab.requests("lims"))
    assert trip.pull().total() == 0
    assert [request["path"] for request in trip.lab.requests("lims")[before:]] == ["/api/v2/samples"]


@pytest.mark.parametrize(("answer", "code"), [(404, "SAMPLE_GONE"), (422, "RECEIPT_UNKNOWN")])
def test_a_sample_that_cannot_be_read_holds_up_its_own_request_visibly(blind, answer, code):
    trip = blind(state="new", requests=2, modules=2, protocols=1)
    trip.lab.receive()
    first = next(iter(trip.ledger.entries("lims", "sample")))
    route = f"GET /api/v2/samples/{first.external_id}"
    trip.lab.faults("lims", {"route": route, "kind": "error", "status": answer})
    report = trip.pull()
    (outcome,) = report.not_in_effect()
    assert (outcome.key, outcome.code) == ("SR-2025-0001", code)
    assert first.key in outcome.reason
    with pytest.raises(ExchangeIncomplete, match=first.key):
        report.raise_for_waiting()
    assert [request["status"] for request in trip.lab.service_requests()][1:] == ["INSPECTION_COMPLETE"]


def test_a_contract_without_a_look_up_of_statuses_is_refused_in_words(blind, tmp_path):
    contract = altered(tmp_path / "lims_mute.yaml", look_up=False)
    trip = blind(contract=contract, state="new", modules=1, protocols=1)
    with pytest.raises(ConfigError, match="`find` of update_sample_status"):
        trip.pull()
