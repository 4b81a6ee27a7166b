"""The wait for samples: it ends when they have arrived, and one look costs as many requests as there are pages."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk.exceptions import TaskDeferred

import sandbox
from demo.laboratory import connections
from hooks.lims import LIMSHook
from pv_testing.core.errors import IntegrationError
from sandbox import Lab
from sensors.receipt import WaitForSampleReceipt
from tests import yaml_text
from tests.airflow.home import connect
from tests.shipped import PROJECT
from triggers.receipt import SampleReceiptTrigger

SAMPLES = 250
PAGES = 3


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with sandbox.serve() as running:
        connect(monkeypatch, connections(running))
        with LIMSHook().get_client() as lims:
            report = lims.create_samples(
                [
                    {"external_id": f"SN{n:04}", "project_id": f"SR-{n % 2}", "customer": "Helios"}
                    for n in range(SAMPLES)
                ]
            )
            report.raise_for_waiting()
        yield running


def wait(**arguments: object) -> None:
    WaitForSampleReceipt(task_id="wait", **{"inline_seconds": 0, "interval": 0.05, **arguments}).execute({})


def fire(trigger: SampleReceiptTrigger, seconds: float = 20) -> dict[str, object]:
    async def first() -> dict[str, object]:
        async for event in trigger.run():
            return dict(event.payload)
        raise AssertionError("the trigger ended without an event")

    return asyncio.run(asyncio.wait_for(first(), seconds))


def looks(lab: Lab) -> list[str]:
    return [
        each["path"]
        for each in lab.read_requests("lims")
        if each["method"] == "GET" and each["path"].endswith("samples")
    ]


def test_samples_that_have_arrived_are_not_waited_for(lab: Lab) -> None:
    lab.receive()
    wait()  # a task that has to wait raises TaskDeferred


def test_those_of_other_requests_are_not_waited_for(lab: Lab) -> None:
    lab.receive("SR-1")
    wait(service_requests=["SR-1"])
    with pytest.raises(TaskDeferred):
        wait(service_requests=["SR-0", "SR-1"])


def test_samples_that_no_listing_shows_have_not_arrived(lab: Lab, tmp_path: Path, monkeypatch) -> None:
    contract = yaml_text.read(PROJECT / "include" / "mappings" / "lims_custom.yaml")
    contract["operations"]["get_samples"]["query"]["external_id"] = {"const": "no such module"}
    blind = tmp_path / "lims_blind.yaml"
    blind.write_text(yaml_text.dump(contract, sort_keys=False), encoding="utf-8")
    known = connections(lab)["pv_lims"]
    connect(monkeypatch, {"pv_lims": {**known, "extra": {**known["extra"], "contract": str(blind)}}})
    with pytest.raises(TaskDeferred):
        wait(service_requests=["SR-0"])


def test_a_request_without_samples_has_received_none(lab: Lab) -> None:
    lab.receive()
    with pytest.raises(TaskDeferred):
        wait(service_requests=["SR-0", "SR-7"])


def test_the_task_defers_to_one_trigger_that_is_made_again_from_its_description(lab: Lab) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        wait(service_requests=["SR-0"])
    path, arguments = deferred.value.trigger.serialize()
    assert path == "triggers.receipt.SampleReceiptTrigger"
    assert SampleReceiptTrigger(**arguments).serialize() == (path, arguments)
    assert deferred.value.method_name == "ended"


def test_one_look_at_all_samples_takes_a_request_a_page(lab: Lab) -> None:
    before = len(looks(lab))
    with pytest.raises(TaskDeferred):
        wait()
    assert len(looks(lab)) - before == PAGES


def test_the_trigger_fires_when_the_last_sample_arrives(lab: Lab) -> None:
    arrival = threading.Timer(0.3, lab.receive)
    arrival.start()
    assert fire(SampleReceiptTrigger(["SR-0", "SR-1"], "pv_lims", 0.05)) == {"done": True}
    arrival.join()
    assert {sample["status"] for sample in lab.samples()} == {"Received"}


def test_the_trigger_outlives_a_system_that_is_down_for_a_while(lab: Lab) -> None:
    lab.receive()
    lab.set_faults("lims", [{"route": "GET /api/v2/samples*", "kind": "error", "status": 503, "times": 6}])
    assert fire(SampleReceiptTrigger([], "pv_lims", 0.05)) == {"done": True}


def test_wrong_credentials_end_the_wait_and_fail_the_task(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = connections(lab)["pv_lims"]
    connect(monkeypatch, {"pv_lims": {**wrong, "password": "wrong-key"}})
    event = fire(SampleReceiptTrigger([], "pv_lims", 0.05))
    assert event["done"] is False
    with pytest.raises(IntegrationError, match="the watch ended"):
        WaitForSampleReceipt(task_id="wait").ended({}, event)
    with pytest.raises(IntegrationError, match="the watch ended"):
        WaitForSampleReceipt(task_id="wait").arrived({}, event)  # deferred by an earlier version
