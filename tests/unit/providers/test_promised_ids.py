"""Shows that an answer without the id that a contract promises is no success: a refusal under HTTP 200 stays one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pv_testing.core.records import Outcome, Result
from pv_testing.ledger import Ledger
from tests.unit.providers.plain_lims import Body, PlainLims, contract, exchange, sample

REFUSAL = {"ok": False, "err": "E-STATE", "msg": "transition C to R is not allowed"}
FIRST, SECOND = sample(model="T400"), sample(model="T500")


def answering(status: int, body: Any) -> Any:
    """Answer always the same and do nothing."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status) if body is None else web.json_response(body, status=status)

    return answer


def amended(content: Body) -> None:
    """A record of which every version is one of its own, so that no change needs an id."""
    operation = content["operations"]["create_sample"]
    del operation["update"]
    operation["on_change"] = "amend"


def without_a_promise(content: Body) -> None:
    del content["operations"]["create_sample"]["reply"]


def only(lims: PlainLims, path: Path, *records: Any) -> Outcome:
    (outcome,) = exchange(lims, path, *records, ledger=Ledger.in_memory()).outcomes
    return outcome


def test_a_refused_change_under_a_success_is_not_in_effect(tmp_path: Path) -> None:
    lims = PlainLims()
    lims.change = answering(200, REFUSAL)
    outcome = only(lims, contract(tmp_path), FIRST, SECOND)
    assert outcome.result is Result.DEFERRED
    assert "no id where reply.id of the contract says" in outcome.reason
    assert "E-STATE" in outcome.reason
    assert lims.samples[0]["metadata"]["model"] == "T400"


def test_a_refused_creation_under_a_success_is_not_in_effect(tmp_path: Path) -> None:
    lims = PlainLims()
    lims.create = answering(201, REFUSAL)
    outcome = only(lims, contract(tmp_path, amended), FIRST)
    assert not outcome.result.in_effect
    assert lims.samples == []


def test_without_a_look_up_a_person_decides(tmp_path: Path) -> None:

    def change(content: Body) -> None:
        operation = content["operations"]["create_sample"]
        for key in ("find", "update"):
            del operation[key]
        operation.update({"person": True, "on_change": "ignore"})

    lims = PlainLims()
    lims.create = answering(201, REFUSAL)
    outcome = only(lims, contract(tmp_path, change), FIRST)
    assert (outcome.result, outcome.code) == (Result.QUARANTINED, "NO_LOOKUP")


def test_a_change_may_be_answered_with_nothing(tmp_path: Path) -> None:
    lims = PlainLims()

    async def change(request: web.Request) -> web.Response:
        await lims.changed(request)
        return web.Response(status=204)

    lims.change = change
    assert only(lims, contract(tmp_path), FIRST, SECOND).result is Result.UPDATED
    assert [line for line in lims.seen if "search" in line] == []


def test_without_a_promise_the_status_is_all_that_is_asked_for(tmp_path: Path) -> None:
    lims = PlainLims()
    lims.change = answering(200, {"ok": True})
    assert only(lims, contract(tmp_path, without_a_promise), FIRST, SECOND).result is Result.UPDATED


@pytest.mark.parametrize("promise", [True, False])
def test_an_answer_in_bulk_without_its_id_is_looked_up(tmp_path: Path, promise: bool) -> None:
    lims = PlainLims()
    other = type(FIRST)("P/B", {**FIRST.data, "serial_number": "B"})

    async def create(request: web.Request) -> web.Response:
        first, second = (await request.json())["samples"]
        made = lims.add(first)
        refused = {**REFUSAL, "external_id": second["external_id"], "project_id": second["project_id"]}
        return web.json_response({"results": [made, refused]})

    def bulk(content: Body) -> None:
        amended(content)
        settings = {
            "path": "/samples",
            "size": 5,
            "to": "samples",
            "items": "results",
            "key": "{project_id}/{external_id}",
        }
        content["operations"]["create_sample"]["bulk"] = settings | ({"id": "id"} if promise else {})

    lims.create = create
    outcomes = {one.key: one for one in exchange(lims, contract(tmp_path, bulk), [FIRST, other]).outcomes}
    assert outcomes["P/A"].result is Result.CREATED
    assert outcomes["P/B"].result.in_effect is not promise
