"""Shows that an issue that somebody has made in Redmine under our key waits for a person, and is not overwritten."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pv_testing.core.records import Outcome, Record, Result
from pv_testing.integrations import PMClient

FIELD = 3
TASK = {"task_key": "SR-1", "title": "Test SR-1", "project_id": "pv", "sr_number": "SR-1"}


class Redmine:
    """Holds one issue, which it finds by the key field.

    Args:
        subject: of the issue.
    """

    def __init__(self, subject: str) -> None:
        self.issue: dict[str, Any] = {
            "id": 7,
            "subject": subject,
            "description": "* Service request: SR-1",
            "custom_fields": [{"id": FIELD, "value": "SR-1"}],
            "project": {"id": 1},
            "tracker": {"id": 1, "name": "Task"},
            "status": {"id": 1, "name": "New"},
        }
        self.changes: list[Any] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/issues.json", self._search)
        app.router.add_get("/issues/7.json", self._read)
        app.router.add_put("/issues/7.json", self._change)
        return app

    async def _search(self, request: web.Request) -> web.Response:
        found = [self.issue] if "SR-1" in request.query.getall(f"v[cf_{FIELD}][]") else []
        return web.json_response({"issues": found, "total_count": len(found)})

    async def _read(self, _: web.Request) -> web.Response:
        return web.json_response({"issue": self.issue})

    async def _change(self, request: web.Request) -> web.Response:
        self.changes.append((await request.json())["issue"])
        self.issue.update(self.changes[-1])
        return web.Response()


def carry(redmine: Redmine) -> Outcome:
    async def run() -> Outcome:
        async with TestServer(redmine.app()) as server:
            options = {"issue_key_field": FIELD}
            async with PMClient(
                str(server.make_url("")), provider="Redmine", api_key="a-key-of-tests", options=options
            ) as pm:
                (outcome,) = (await pm.aexchange("create_task", [Record("SR-1", TASK)])).outcomes
                return outcome

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("subject", "result", "code"),
    [("Test SR-1", Result.ADOPTED, ""), ("Something of mine", Result.QUARANTINED, "CONTENT_DIFFERS")],
)
def test_an_issue_under_our_key_is_taken_over_only_where_it_says_the_same(
    subject: str, result: Result, code: str
) -> None:
    redmine = Redmine(subject)
    outcome = carry(redmine)
    assert (outcome.result, outcome.code, redmine.changes, redmine.issue["subject"]) == (result, code, [], subject)
