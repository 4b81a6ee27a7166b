"""Shows that a change which takes something away is sent, and believed only when it is gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from pv_testing.contracts import load_contract
from pv_testing.core.records import Record, Result
from tests.unit.providers.plain_lims import PlainLims, contract, exchange, hangs_up, sample


def loses_the_first_change(lims: PlainLims) -> None:
    async def change(request: web.Request) -> web.StreamResponse:
        lost = sum(seen.startswith("PATCH") for seen in lims.seen) == 1
        return hangs_up(request) if lost else web.json_response(await lims.changed(request))

    lims.change = change


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (sample(x=1, wrong=2), sample(x=1)),
        (sample(x=1, y=5), sample(x=1, y=None)),
        (sample(x={"a": 1, "b": 2}), sample(x={"a": 1})),
        (sample(x=[{"a": 1, "b": 2}]), sample(x=[{"a": 1}])),
        (sample(x=1), sample()),
    ],
    ids=["a name", "a value", "a name deep inside", "a name in a list", "an optional field"],
)
@pytest.mark.parametrize("lost", [False, True])
def test_what_a_change_takes_away_is_gone(tmp_path: Path, before: Record, after: Record, lost: bool) -> None:
    lims = PlainLims()
    if lost:
        loses_the_first_change(lims)
    (outcome,) = exchange(lims, contract(tmp_path), before, after).outcomes
    assert outcome.result is Result.UPDATED
    (there,) = lims.samples
    assert there["metadata"] == after.data.get("module")
    assert len([seen for seen in lims.seen if seen.startswith("PATCH")]) == 1 + lost


def test_a_change_whose_answer_alone_was_lost_is_found_beside_what_the_system_adds(tmp_path: Path) -> None:
    lims = PlainLims()

    async def change(request: web.Request) -> web.StreamResponse:
        (await lims.changed(request)).update(status="Received", updated_at="today")
        return hangs_up(request)

    lims.change = change
    (outcome,) = exchange(lims, contract(tmp_path), sample(x=1, y=2), sample(x=1)).outcomes
    assert (outcome.result, len([seen for seen in lims.seen if seen.startswith("PATCH")])) == (Result.ADOPTED, 1)


@pytest.mark.parametrize("found", [{"x": 1}, {"x": 1, "y": None}, {"x": 1, "y": ""}, {"x": 1, "y": []}])
def test_what_is_empty_is_as_good_as_gone(found: dict[str, object]) -> None:
    find = load_contract("lims_custom").operation("create_sample").find
    assert find is not None
    wanted = {"customer": "C", "sample_type": "T", "metadata": {"x": 1}}
    assert find.equal({**wanted, "metadata": found}, wanted)
    assert not find.equal({**wanted, "metadata": {**found, "y": 0}}, wanted)
    assert not find.equal({**wanted, "metadata": {}}, wanted)
