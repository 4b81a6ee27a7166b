"""Shows which hours under our key are ours, as Redmine 5 shows them, and in whole minutes as Redmine 6 does."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pv_testing.core.records import Outcome, Record
from pv_testing.integrations import PMClient

FIELD = 4
KEY = "5678"
HOURS = {"execution_id": KEY, "task_id": "7", "date": "2025-11-20"}


def carry(hours: float, shown: float) -> Outcome:
    """Enter hours where an entry with our key is there already."""
    entry = {"id": 9, "hours": shown, "spent_on": HOURS["date"], "custom_fields": [{"id": FIELD, "value": KEY}]}

    async def search(request: web.Request) -> web.Response:
        found = [entry] if KEY in request.query.getall(f"v[cf_{FIELD}][]") else []
        return web.json_response({"time_entries": found, "total_count": len(found)})

    async def run() -> Outcome:
        app = web.Application()
        app.router.add_get("/time_entries.json", search)
        async with TestServer(app) as server:
            options = {"issue_key_field": 3, "time_entry_key_field": FIELD}
            async with PMClient(
                str(server.make_url("")), provider="Redmine", api_key="a-key-of-tests", options=options
            ) as pm:
                (outcome,) = (await pm.aexchange("log_time_entry", [Record(KEY, {**HOURS, "hours": hours})])).outcomes
                return outcome

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("hours", "shown"),
    [(1.5, 1.5), (0.04, 0.04), (0.04, 0.03), (0.01, 0.02), (2.29, 2.28), (1.333333, 1.33), (839.99, 839.98)],
)
def test_an_entry_that_shows_our_hours_is_ours(hours: float, shown: float) -> None:
    assert carry(hours, shown).external_id == "9"


@pytest.mark.parametrize(("hours", "shown"), [(1.5, 1.52), (0.04, 0.05), (2.25, 2.26), (0.03, 0.04)])
def test_an_entry_that_shows_other_hours_waits_for_a_person(hours: float, shown: float) -> None:
    assert carry(hours, shown).code == "CONTENT_DIFFERS"
