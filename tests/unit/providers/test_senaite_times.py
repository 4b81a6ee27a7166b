"""Shows that the steps of SENAITE's operations end together within the time that a record's lease allows for."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pv_testing.config import system_config
from pv_testing.contracts.load import load_contract
from pv_testing.core.errors import AmbiguousOutcome
from pv_testing.core.places import contract_path
from pv_testing.core.records import Prepared, Record
from pv_testing.ledger import Ledger
from pv_testing.providers.registry import open_provider
from tests import yaml_text

EACH = 0.25
TOGETHER = 0.6
SAMPLE = {"serial_number": "A", "sr_number": "P", "customer_name": "C", "module": {}}
STATUS = {"lims_sample_id": "s1", "lims_status": "sample_received"}
THERE = {
    "sample": {"uid": "s1", "review_state": "sample_due", "getClientSampleID": "P/A"},
    "Client": {"uid": "c1", "title": "C"},
    "SampleType": {"uid": "t1", "title": "PV Module"},
    "Contact": {"uid": "k1", "parent_uid": "c1"},
}


async def slow(request: web.Request) -> web.Response:
    """Answer each request in time, but not fast."""
    await asyncio.sleep(EACH)
    if request.path.endswith("/users/current"):
        return web.json_response({"items": [{"username": "integration", "authenticated": True}]})
    item = THERE[request.query.get("portal_type", "sample")]
    return web.json_response({"items": [item], "count": 1})


def short_contract(folder: Path) -> Path:
    content = yaml_text.read(contract_path("lims_senaite"))
    content["limits"].update(attempt_timeout=0.5, total_timeout=TOGETHER)
    path = folder / "lims_senaite_short.yaml"
    path.write_text(yaml_text.dump(content, sort_keys=False), encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "data"), [("create_sample", SAMPLE), ("update_sample_status", STATUS)])
def test_steps_that_take_too_long_are_given_up_and_looked_up(tmp_path: Path, name: str, data: dict[str, Any]) -> None:
    async def send() -> float:
        app = web.Application()
        app.router.add_route("*", "/api/{path:.*}", slow)
        async with TestServer(app) as server:
            address = {"provider": "SENAITE", "username": "integration", "password": "x", "auth_type": "basic"}
            config = system_config("lims", str(server.make_url("/api")), **address)
            provider = open_provider(config, load_contract(short_contract(tmp_path)), Ledger.in_memory())
            operation = provider.operation(name)
            item = Prepared("P/A", operation.prepare(Record("P/A", data)), "f")
            started = time.monotonic()
            try:
                with pytest.raises(AmbiguousOutcome, match=r"longer than 0\.6 s"):
                    await operation.send([item])
                return time.monotonic() - started
            finally:
                await provider.aclose()

    assert asyncio.run(send()) < TOGETHER + EACH
