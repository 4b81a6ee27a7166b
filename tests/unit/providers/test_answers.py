"""Shows that an answer which says too little makes no second record: not in the next run, not with the next change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Ledger, Settlement
from tests.unit.providers.plain_lims import PlainLims, contract, exchange, sample


@pytest.mark.parametrize("answer", ["none", "bytes"])
def test_what_is_not_read_needs_no_json(tmp_path: Path, answer: str) -> None:
    lims, ledger = PlainLims(), Ledger.in_memory()

    async def create(request: web.Request) -> web.Response:
        lims.add(await request.json())
        return web.Response(text="created", status=201)

    def change(content: dict[str, Any]) -> None:
        operation = content["operations"]["create_sample"]
        operation["answer"] = answer
        operation["on_change"] = "ignore"
        del operation["update"]

    lims.create = create
    path = contract(tmp_path, change)
    (first,) = exchange(lims, path, sample(), ledger=ledger).outcomes
    (second,) = exchange(lims, path, sample(), ledger=ledger).outcomes
    assert (first.result, second.result, len(lims.samples)) == (Result.CREATED, Result.UNCHANGED, 1)


def hides_the_id(lims: PlainLims) -> Any:
    async def create(request: web.Request) -> web.Response:
        return web.json_response({"data": lims.add(await request.json())}, status=201)

    return create


def test_an_id_that_the_answer_lacks_is_looked_up_so_that_a_change_finds_its_record(tmp_path: Path) -> None:
    lims = PlainLims()
    lims.create = hides_the_id(lims)
    (outcome,) = exchange(lims, contract(tmp_path), sample(x=1), sample(x=2)).outcomes
    assert (outcome.result, outcome.external_id) == (Result.UPDATED, "S1")
    assert [known["metadata"] for known in lims.samples] == [{"x": 2}]


def test_the_ids_that_a_bulk_answer_lacks_are_looked_up(tmp_path: Path) -> None:
    lims = PlainLims()

    async def create(request: web.Request) -> web.Response:
        made = [lims.add(each) for each in (await request.json())["samples"]]
        return web.json_response({"results": [{"status": 201} for _ in made]})

    def bulk(content: dict[str, Any]) -> None:
        bulk = {
            "path": "/samples", "size": 5, "to": "samples", "items": "results", "status": "status", "ordered": True,
        }  # fmt: skip
        content["operations"]["create_sample"]["bulk"] = bulk

    lims.create = create
    records = [sample(x=1), replace(sample(x=1), key="P/B", data={**sample().data, "serial_number": "B"})]
    outcomes = exchange(lims, contract(tmp_path, bulk), records).outcomes
    assert {(one.key, one.result, one.external_id) for one in outcomes} == {
        ("P/A", Result.ADOPTED, "S1"),
        ("P/B", Result.ADOPTED, "S2"),
    }


def test_without_a_look_up_a_person_finds_the_id(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        del content["operations"]["create_sample"]["find"]
        content["operations"]["create_sample"]["person"] = True

    lims = PlainLims()
    lims.create = hides_the_id(lims)
    (outcome,) = exchange(lims, contract(tmp_path, change), sample(x=1), sample(x=1)).outcomes
    assert (outcome.result, outcome.code, len(lims.samples)) == (Result.QUARANTINED, "NO_LOOKUP", 1)


def test_what_was_confirmed_without_id_is_looked_up_before_it_is_changed(tmp_path: Path) -> None:
    lims, ledger = PlainLims(), Ledger.in_memory()

    def without_update(content: dict[str, Any]) -> None:
        operation = content["operations"]["create_sample"]
        operation["on_change"] = "ignore"
        del operation["update"]

    lims.create = hides_the_id(lims)
    exchange(lims, contract(tmp_path, without_update), sample(x=1), ledger=ledger)
    (outcome,) = exchange(lims, contract(tmp_path), sample(x=2), ledger=ledger).outcomes
    assert (outcome.result, outcome.external_id) == (Result.UPDATED, "S1")
    assert [known["metadata"] for known in lims.samples] == [{"x": 2}]


def confirmed_without_id(ledger: Ledger) -> None:
    (claimed,) = ledger.claim("lims", "sample", [Claim("P/A", "an earlier version")], owner="before", lease=10)
    ledger.settle([Settlement(claimed, Result.CREATED)], owner="before")


def test_what_was_confirmed_without_id_and_is_surely_gone_is_created_again(tmp_path: Path) -> None:
    lims, ledger = PlainLims(), Ledger.in_memory()
    confirmed_without_id(ledger)
    (outcome,) = exchange(lims, contract(tmp_path), sample(x=2), ledger=ledger).outcomes
    assert (outcome.result.in_effect, outcome.external_id) == (True, "S1")
    assert lims.seen == ["POST /samples/search", "POST /samples/search", "POST /samples"]
    (outcome,) = exchange(lims, contract(tmp_path), sample(x=3), ledger=ledger).outcomes
    assert (outcome.result, [known["metadata"] for known in lims.samples]) == (Result.UPDATED, [{"x": 3}])


def test_a_lost_answer_to_what_is_created_again_is_looked_up(tmp_path: Path) -> None:
    lims, ledger = PlainLims(), Ledger.in_memory()
    confirmed_without_id(ledger)
    lims.create = lims.loses_the_first_answer
    (outcome,) = exchange(lims, contract(tmp_path), sample(x=2), ledger=ledger).outcomes
    assert (outcome.result, outcome.external_id, len(lims.samples)) == (Result.ADOPTED, "S1", 1)


@pytest.mark.parametrize("find", [None, "refused"])
def test_a_person_who_says_that_it_is_gone_is_believed_where_no_look_up_can_tell(
    tmp_path: Path, find: str | None
) -> None:
    def change(content: dict[str, Any]) -> None:
        if find is None:
            del content["operations"]["create_sample"]["find"]
            content["operations"]["create_sample"]["person"] = True

    async def search(_: web.Request) -> web.Response:
        return web.json_response({"error": {"code": "NO"}}, status=422)

    lims, ledger = PlainLims(), Ledger.in_memory()
    lims.search = search
    confirmed_without_id(ledger)
    path = contract(tmp_path, change)
    for release in ({}, {"absent": True}):
        (outcome,) = exchange(lims, path, sample(x=2), ledger=ledger).outcomes
        assert (outcome.result, len(lims.samples)) == (Result.QUARANTINED, 0)
        assert ledger.release("lims", "sample", ["P/A"], **release) == 1
    (outcome,) = exchange(lims, path, sample(x=2), ledger=ledger).outcomes
    assert (outcome.result.in_effect, outcome.external_id, len(lims.samples)) == (True, "S1", 1)


def test_a_look_up_that_gives_no_id_does_not_supply_it(tmp_path: Path) -> None:
    lims = PlainLims()
    lims.create = hides_the_id(lims)

    async def search(request: web.Request) -> web.Response:
        return web.json_response({"data": [{**one, "id": None} for one in lims.matching(await request.json())]})

    lims.search = search
    (outcome,) = exchange(lims, contract(tmp_path), sample(x=1), sample(x=2)).outcomes
    assert (outcome.result, outcome.code, len(lims.samples)) == (Result.DEFERRED, "AMBIGUOUS", 1)
    assert "id" in outcome.reason


def test_a_put_that_a_person_decides_about_is_not_repeated_because_it_is_a_put(tmp_path: Path) -> None:
    lims = PlainLims()
    lims.create = lims.loses_the_first_answer

    def change(content: dict[str, Any]) -> None:
        operation = content["operations"]["create_sample"]
        operation.update(method="PUT", on_change="ignore", person=True)
        for name in ("find", "bulk", "update"):
            operation.pop(name, None)

    (outcome,) = exchange(lims, contract(tmp_path, change), sample()).outcomes
    assert (outcome.result, outcome.code) == (Result.QUARANTINED, "NO_LOOKUP")
    assert lims.seen == ["PUT /samples"]
