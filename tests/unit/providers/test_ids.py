"""Shows that only text and whole numbers are ids, whatever a system answers; anything else is looked up, or waits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pv_testing.core.records import Result
from pv_testing.ledger import Ledger, State
from tests.unit.providers.plain_lims import PlainLims, contract, exchange, sample

NO_IDS = [1.5, 1.0, True, False, [1, 2], [], {"id": 7}, "   ", "\t\n"]
OTHER = replace(sample(), key="P/B", data={**sample().data, "serial_number": "B"})


def saying(lims: PlainLims, identifier: Any) -> Any:
    async def create(request: web.Request) -> web.Response:
        lims.add(await request.json())
        return web.json_response({"id": identifier}, status=201)

    return create


def showing(lims: PlainLims, identifier: Any) -> Any:
    """Let the look-up give something else as the id of module A."""

    async def search(_: web.Request) -> web.Response:
        found = [{**each, "id": identifier} if each["external_id"] == "A" else each for each in lims.samples]
        return web.json_response({"data": found})

    return search


@pytest.mark.parametrize("identifier", NO_IDS)
def test_what_is_no_id_is_looked_up(tmp_path: Path, identifier: Any) -> None:
    lims, ledger = PlainLims(), Ledger.in_memory()
    lims.create = saying(lims, identifier)
    (outcome,) = exchange(lims, contract(tmp_path), sample(), ledger=ledger).outcomes
    assert (outcome.result, outcome.external_id, len(lims.samples)) == (Result.ADOPTED, "S1", 1)
    assert [entry.external_id for entry in ledger.entries()] == ["S1"]


@pytest.mark.parametrize("identifier", NO_IDS)
def test_where_the_look_up_gives_no_id_either_that_record_alone_waits(tmp_path: Path, identifier: Any) -> None:
    lims, ledger = PlainLims(), Ledger.in_memory()
    lims.create, lims.search = saying(lims, identifier), showing(lims, identifier)
    outcomes = exchange(lims, contract(tmp_path), [sample(), OTHER], ledger=ledger).outcomes
    by_key = {outcome.key: outcome for outcome in outcomes}
    assert (by_key["P/B"].result, by_key["P/B"].external_id) == (Result.ADOPTED, "S2")
    assert by_key["P/A"].result is Result.QUARANTINED
    assert "the id that the system says is neither text nor a whole number" in by_key["P/A"].reason
    assert [(entry.key, entry.external_id) for entry in ledger.waiting()] == [("P/A", "")]
    exchange(lims, contract(tmp_path), sample(), ledger=ledger)
    assert len(lims.samples) == 2


@pytest.mark.parametrize("identifier", NO_IDS)
def test_each_record_of_a_bulk_answer_has_its_own_id(tmp_path: Path, identifier: Any) -> None:
    lims, ledger = PlainLims(), Ledger.in_memory()

    async def create(request: web.Request) -> web.Response:
        made = [lims.add(each) for each in (await request.json())["samples"]]
        answers = [{"status": 201, "id": identifier if each["external_id"] == "A" else each["id"]} for each in made]
        return web.json_response({"results": answers})

    def bulk(content: dict[str, Any]) -> None:
        bulk = {
            "path": "/samples", "size": 5, "to": "samples", "items": "results", "status": "status", "ordered": True,
        }  # fmt: skip
        content["operations"]["create_sample"]["bulk"] = bulk

    lims.create = create
    outcomes = exchange(lims, contract(tmp_path, bulk), [sample(), OTHER], ledger=ledger).outcomes
    assert {(one.key, one.result, one.external_id) for one in outcomes} == {
        ("P/A", Result.ADOPTED, "S1"),
        ("P/B", Result.CREATED, "S2"),
    }


@pytest.mark.parametrize(("identifier", "kept"), [(17, "17"), ("17", "17"), (2**63, str(2**63)), ("A/1 é", "A/1 é")])
def test_whole_numbers_and_text_are_ids(tmp_path: Path, identifier: Any, kept: str) -> None:
    lims, ledger = PlainLims(), Ledger.in_memory()
    lims.create = saying(lims, identifier)
    (outcome,) = exchange(lims, contract(tmp_path), sample(), ledger=ledger).outcomes
    assert (outcome.result, outcome.external_id) == (Result.CREATED, kept)
    assert [(entry.state, entry.external_id) for entry in ledger.entries()] == [(State.CONFIRMED, kept)]
