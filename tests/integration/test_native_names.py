"""Shows that receipt and statuses are read from a LIMS that has names of its own for everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from pv_testing.core.errors import ConfigError, ResponseError
from pv_testing.core.sync import run
from pv_testing.integrations import LIMSClient
from tests import yaml_text
from tests.docs import sunlab
from tests.docs.pages import PROJECT, blocks
from triggers.receipt import awaited

PAGE = PROJECT / "docs" / "reference" / "contracts.md"


def contract(folder: Path, change=lambda _: None) -> Path:
    """Write the contract of docs/reference/contracts.md for a laboratory that inspects modules at their receipt."""
    content = yaml_text.load("\n".join(block.lstrip() for block in blocks(PAGE, "yaml")))
    content["vocabularies"]["receipt"]["in"] = {"HERE": "INSPECTION_COMPLETE"}
    change(content)
    path = folder / "lims_native.yaml"
    path.write_text(yaml_text.dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


@pytest.fixture
def native(laboratory, tmp_path):
    """Return a function that starts a laboratory whose LIMS is another product, with its samples registered."""
    with sunlab.serve() as server:

        def start(change=lambda _: None, **plan):
            trip = laboratory(**plan)
            trip.lims.close()
            path = contract(tmp_path, change)
            trip.lims = LIMSClient(server.url, api_key=sunlab.KEY, contract=str(path), ledger=trip.ledger, owner="test")
            trip.server = server
            trip.intake().raise_for_waiting()
            server.seen.clear()
            return trip

        yield start


def status(trip) -> str:
    (request,) = trip.lab.service_requests()
    return request["status"]


def receive(trip, *samples) -> None:
    for sample in samples:
        sample["State"] = "HERE"


def without_row_map(content) -> None:
    """Leave the listing to the map and the look-up of `create_sample`."""
    del content["operations"]["get_samples"]["map"]
    del content["maps"]["sample_row"]


@pytest.mark.parametrize("change", [lambda _: None, without_row_map], ids=["own map", "as a look-up"])
def test_awaited_samples_are_seen_in_the_listing(native, change):
    trip = native(change, state="new", modules=3, protocols=1)
    before = status(trip)
    receive(trip, *trip.server.samples[1:])
    assert trip.pull().total() == 0
    assert status(trip) == before
    assert trip.server.seen == ["GET /rest/sample"]


def test_a_request_is_moved_when_all_its_samples_are_there(native):
    trip = native(state="new", modules=3, protocols=1)
    receive(trip, *trip.server.samples)
    trip.pull().raise_for_waiting()
    assert status(trip) == "INSPECTION_COMPLETE"


def test_awaited_samples_are_given_no_status(native):
    trip = native(state="complete", modules=2, protocols=1)
    receive(trip, trip.server.samples[0])
    report = trip.push()
    assert (report.counts()["updated"], report.not_in_effect()) == (1, [])
    assert [sample["State"] for sample in trip.server.samples] == ["DONE", "EXPECTED"]
    assert trip.server.seen.count("GET /rest/sample/1") == 0


def test_the_trigger_waits_for_those_of_its_requests(native):
    trip = native(state="new", requests=2, modules=2, protocols=1)
    first, second = sorted({sample["Order"] for sample in trip.server.samples})
    receive(trip, *(sample for sample in trip.server.samples if sample["Order"] == first))

    async def look(*numbers: str) -> list[str]:
        return await awaited(trip.lims, numbers)

    assert run(look(first)) == []
    assert len(run(look(first, second))) == len(run(look())) == 2
    assert run(look("SR-unheard-of")) == ["those of SR-unheard-of"]


def other_names(content) -> None:
    content["maps"]["sample_row"]["sr_number"] = "OrderNo"


@pytest.mark.parametrize("step", ["pull", "push", "trigger"])
def test_a_row_without_its_key_is_an_error_and_moves_nothing(native, step):
    trip = native(other_names, state="complete" if step == "push" else "new", modules=2, protocols=1)
    before = status(trip)
    with pytest.raises(ResponseError, match="has no OrderNo; say by `map` of get_samples") as refused:
        run(awaited(trip.lims, [])) if step == "trigger" else getattr(trip, step)()
    assert refused.value.code == "KEY_MISSING"
    assert status(trip) == before
    assert {sample["State"] for sample in trip.server.samples} == {"EXPECTED"}


def test_a_sample_that_somebody_else_has_made_holds_up_nothing(native):
    trip = native(state="new", modules=1, protocols=1)
    foreign = {"Id": 99, "SampleNo": "X", "Order": None, "Client": "Another", "State": "EXPECTED"}
    trip.server.samples.append(foreign)
    receive(trip, trip.server.samples[0])
    trip.pull().raise_for_waiting()
    assert status(trip) == "INSPECTION_COMPLETE"


def test_a_row_without_id_is_an_error(native):
    trip = native(state="new", modules=1, protocols=1)
    trip.server.samples.append({"Id": "", "SampleNo": "X", "Order": "SR-9", "Client": "A", "State": "EXPECTED"})
    with pytest.raises(ResponseError) as refused:
        trip.pull()
    assert refused.value.code == "ID_MISSING"


def no_state(content) -> None:
    del content["operations"]["update_sample_status"]["find"]["in_effect"]


def no_serial(content) -> None:
    del content["maps"]["sample_row"]["serial_number"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (no_state, "update_sample_status.find: doesn't compare State, so that every sample that is there would count"),
        (no_serial, "operations.get_samples: its rows have no serial_number in our words; name by `map`"),
    ],
)
def test_a_contract_that_can_tell_nothing_of_receipt_is_refused(tmp_path, change, expected):
    with pytest.raises(ConfigError) as refused:
        LIMSClient("http://127.0.0.1:1", api_key=sunlab.KEY, contract=str(contract(tmp_path, change)))
    assert expected in str(refused.value)
