"""Shows that what somebody has made by hand under our key is never overwritten, and what a look-up may not repeat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pv_testing.core.records import Outcome, Record, Result
from pv_testing.ledger import Ledger
from tests.unit.providers.plain_lims import PlainLims, contract, exchange, hangs_up, sample

BY_HAND = {"project_id": "P", "external_id": "A", "customer": "Somebody", "sample_type": "PV Module"}
CHANGED = Record("P/A", {"serial_number": "A", "sr_number": "P", "customer_name": "D"})


def look_first(content: dict[str, Any]) -> None:
    content["operations"]["create_sample"]["look_first"] = True


async def gets_nothing_done(request: web.Request) -> web.StreamResponse:
    """Break off before anything has taken effect."""
    return hangs_up(request)


def first(lims: PlainLims, path: Path, record: Record, ledger: Ledger, **options: Any) -> Outcome:
    (outcome,) = exchange(lims, path, record, ledger=ledger, **options).outcomes
    return outcome


@pytest.mark.parametrize("change", [look_first, lambda _: None], ids=["looked up first", "after a lost request"])
def test_a_record_made_by_hand_with_other_content_waits_for_a_person(tmp_path: Path, change: Any) -> None:
    lims, path = PlainLims(), contract(tmp_path, change)
    lims.create = gets_nothing_done
    made = dict(lims.add(dict(BY_HAND)))
    with Ledger.in_memory() as ledger:
        outcome = first(lims, path, sample(), ledger)
        assert (outcome.result, outcome.code) == (Result.QUARANTINED, "CONTENT_DIFFERS")
        assert "S1" in outcome.reason
        # Neither the next run, nor another content, nor a replay of either touches it.
        for record, replay in ((sample(), False), (CHANGED, False), (sample(), True), (CHANGED, True)):
            assert first(lims, path, record, ledger, replay=replay).result is Result.QUARANTINED
        assert lims.samples == [made]
        assert not [seen for seen in lims.seen if seen.startswith("PATCH")]


def test_once_it_is_corrected_and_released_it_is_taken_over(tmp_path: Path) -> None:
    lims, path = PlainLims(), contract(tmp_path, look_first)
    lims.add(dict(BY_HAND))
    with Ledger.in_memory() as ledger:
        first(lims, path, sample(), ledger)
        lims.samples[0]["customer"] = "C"
        ledger.release("lims", "sample", ["P/A"], owner="a person")
        assert first(lims, path, sample(), ledger).result is Result.ADOPTED
    assert len(lims.samples) == 1


def test_once_it_is_removed_and_released_ours_is_made(tmp_path: Path) -> None:
    lims, path = PlainLims(), contract(tmp_path, look_first)
    lims.add(dict(BY_HAND))
    with Ledger.in_memory() as ledger:
        first(lims, path, sample(), ledger)
        lims.samples.clear()
        ledger.release("lims", "sample", ["P/A"], owner="a person")
        assert first(lims, path, sample(), ledger).result is Result.CREATED
    assert [each["customer"] for each in lims.samples] == ["C"]


def test_once_it_is_confirmed_later_changes_go_to_it(tmp_path: Path) -> None:
    lims, path = PlainLims(), contract(tmp_path, look_first)
    lims.add(dict(BY_HAND))
    with Ledger.in_memory() as ledger:
        first(lims, path, sample(), ledger)
        ledger.confirm("lims", "sample", "P/A", "S1", owner="a person")
        assert first(lims, path, sample(), ledger).result is Result.UNCHANGED
        assert first(lims, path, CHANGED, ledger).result is Result.UPDATED
    assert [each["customer"] for each in lims.samples] == ["D"]


def test_a_record_made_by_hand_with_the_same_content_is_taken_over(tmp_path: Path) -> None:
    lims = PlainLims()
    lims.add({**BY_HAND, "customer": "C"})
    with Ledger.in_memory() as ledger:
        assert first(lims, contract(tmp_path, look_first), sample(), ledger).result is Result.ADOPTED


def test_a_second_record_is_one_too_many_whatever_it_says(tmp_path: Path) -> None:
    lims = PlainLims()
    lims.add(dict(BY_HAND))

    async def loses_the_answer(request: web.Request) -> web.StreamResponse:
        lims.add(await request.json())
        return hangs_up(request)

    lims.create = loses_the_answer
    with Ledger.in_memory() as ledger:
        outcome = first(lims, contract(tmp_path), sample(), ledger)
    assert (outcome.result, outcome.code) == (Result.QUARANTINED, "DUPLICATE_IN_SYSTEM")
    assert len(lims.samples) == 2


def test_our_own_earlier_version_is_no_record_made_by_hand(tmp_path: Path) -> None:
    lims, path = PlainLims(), contract(tmp_path)
    lims.create = lims.loses_the_first_answer

    async def down(_: web.Request) -> web.Response:
        return web.Response(status=503)

    with Ledger.in_memory() as ledger:
        lims.search = down
        assert first(lims, path, sample(), ledger).result is Result.DEFERRED
        lims.search = None
        assert first(lims, path, CHANGED, ledger).result is Result.UPDATED
    assert [each["customer"] for each in lims.samples] == ["D"]


def paged(content: dict[str, Any]) -> None:
    content["operations"]["create_sample"]["find"] = {
        "path": "/samples", "query": {"external_id": "external_id"}, "list": "data", "paged": True,
        "key": "{project_id}/{external_id}", "in_effect": {"customer": "customer"},
    }  # fmt: skip


def test_a_look_up_whose_order_changes_is_no_answer(tmp_path: Path) -> None:
    lims = PlainLims()

    async def wanders(request: web.Request) -> web.Response:
        page = int(request.query["page"])
        found = {**lims.samples[0], "read": page}
        return web.Response(text=json.dumps({"data": [found], "pages": 2}), content_type="application/json")

    lims.create, lims.search = lims.loses_the_first_answer, wanders
    with Ledger.in_memory() as ledger:
        outcome = first(lims, contract(tmp_path, paged), sample(), ledger)
    assert (outcome.result, outcome.code, len(lims.samples)) == (Result.DEFERRED, "AMBIGUOUS", 1)
    assert "once more" in outcome.reason
