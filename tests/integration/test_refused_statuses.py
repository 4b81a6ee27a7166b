"""A status that is refused because the sample has not arrived is tried again when the sample has changed."""

from __future__ import annotations

from contextlib import closing

import pytest

import sandbox
from pv_testing.core.errors import Rejected
from pv_testing.core.records import Record, Result
from pv_testing.integrations import LIMSClient
from pv_testing.integrations.receipt import STATUS
from pv_testing.ledger import Ledger, State

SAMPLE = ("SN001", "PV Module", "SR-2025-0123", "Solar Corporation")


@pytest.fixture
def lab():
    with sandbox.serve() as serving:
        yield serving


@pytest.fixture
def lims(lab, tmp_path):
    """Give a function that opens a client as the next run of the guide's loop does."""

    def opened() -> LIMSClient:
        ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
        return LIMSClient(lab.lims_url, api_key=lab.credentials.lims_api_key, ledger=ledger)

    return opened


def statuses_sent(lab) -> int:
    return sum(each["path"].endswith("/status") for each in lab.requests("lims") if each["method"] == "PUT")


def test_the_guides_loop_sets_the_status_once_the_sample_is_there_and_fails_in_the_same_way_before(lab, lims):
    with closing(lims()) as client:
        sample_id = client.create_sample(*SAMPLE)["id"]
    refusals = []
    for _ in range(4):
        with closing(lims()) as client, pytest.raises(Rejected) as caught:
            client.update_sample_status(sample_id, "In Testing")
        refusals.append((type(caught.value), caught.value.code))
    assert set(refusals) == {(Rejected, "INVALID_TRANSITION")}
    assert statuses_sent(lab) == 2  # at first, and once with the sample as it is
    lab.receive()
    with closing(lims()) as client:
        assert client.update_sample_status(sample_id, "In Testing")["id"] == sample_id
        assert [entry.state for entry in client.ledger.entries("lims", "sample_status")] == [State.CONFIRMED]
        assert set(client.ledger.state("lims/refused/sample_status", {})) == {"SR-2025-0123/SN001"}
    with closing(lims()) as client:
        client.update_sample_status(sample_id, "In Testing")
        assert client.ledger.state("lims/refused/sample_status", {}) == {}
        client.ledger.verify()


def test_a_refused_status_is_rejected_each_time_and_one_that_nobody_can_read_stays_so(lab, lims):
    with closing(lims()) as client:
        sample_id = client.create_sample(*SAMPLE)["id"]
        record = Record("SR-2025-0123/SN001", {"lims_sample_id": sample_id, "lims_status": "Approved"})
        lab.faults("lims", {"route": "GET /api/v2/samples/*", "kind": "error", "status": 404})
        results = [client.exchange(STATUS, [record]).outcomes[0].result for _ in range(3)]
        assert (set(results), statuses_sent(lab)) == ({Result.REJECTED}, 1)
        plan = client.ledger.waiting()
        assert [entry.state for entry in plan] == [State.REJECTED]


def test_a_first_status_is_an_update_for_the_sample_is_there_already(lab, lims):
    with closing(lims()) as client:
        sample_id = client.create_sample(*SAMPLE)["id"]
        lab.receive()
        report = client.update_sample_statuses([{"sample_id": sample_id, "status": "In Testing"}])
        assert [each.result for each in report.outcomes] == [Result.UPDATED]
        assert client.ledger.verify().count
