"""Shows that an answer which says too little makes no second record: not in the next run, not with the next change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pv_testing.exchange.types import Result
from pv_testing.ledger import Ledger
from tests.unit.providers.plain_lims import PlainLims, contract, exchange, sample


@pytest.mark.parametrize("answer", ["none", "bytes"])
def test_what_is_not_read_needs_no_json(tmp_path: Path, answer: str) -> None:
    lims, ledger = PlainLims(), Ledger()

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
