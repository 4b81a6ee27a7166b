"""Shows that a token which is refused under a success is renewed, as after a 401."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pv_testing.core.errors import AuthenticationError
from pv_testing.ledger import Ledger
from tests.unit.providers.plain_lims import Body, PlainLims, contract, exchange
from tests.unit.providers.test_refusals import OAUTH, samples

REFUSED = {"error": {"code": "TOKEN_EXPIRED", "message": "log in again"}}


class Expiring(PlainLims):
    """Knows only its newest token, and says so of another one under status 200.

    Args:
        after: the creation before which the token expires.
    """

    def __init__(self, after: int) -> None:
        super().__init__()
        self.tokens, self.good, self._after = 0, "", after

    def app(self) -> web.Application:
        app = super().app()
        app.middlewares.append(self._check)
        return app

    @web.middleware
    async def _check(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path == "/oauth/token":
            self.tokens += 1
            self.good = f"canary-token-{self.tokens}"
            return web.json_response({"access_token": self.good, "expires_in": 3600})
        if len(self.samples) == self._after:
            self._after, self.good = -1, "none"
        if request.headers["Authorization"] != f"Bearer {self.good}":
            return web.json_response(REFUSED)
        return await handler(request)


def rule(content: Body) -> None:
    content["errors"]["rules"] = [
        {"status": 200, "at": "error.code", "equals": "TOKEN_EXPIRED", "verdict": "authentication"}
    ]


def test_a_token_refused_under_a_success_is_renewed_and_everything_is_sent_once(tmp_path: Path) -> None:
    lims, ledger = Expiring(4), Ledger.in_memory()
    client: dict[str, Any] = {"api_key": "", **OAUTH}
    report = exchange(lims, contract(tmp_path, rule, total_timeout=10), samples(12), ledger=ledger, **client)
    assert report.counts()["created"] == 12
    assert (lims.tokens, len(lims.samples)) == (2, 12)


@pytest.mark.parametrize("client", [{"api_key": "", **OAUTH}, {}], ids=["oauth2", "api_key"])
def test_a_new_token_that_is_refused_too_ends_the_exchange(tmp_path: Path, client: dict[str, Any]) -> None:
    lims, ledger = PlainLims(), Ledger.in_memory()

    async def create(_: web.Request) -> web.Response:
        return web.json_response(REFUSED)

    lims.create = create
    report = exchange(lims, contract(tmp_path, rule), samples(12), ledger=ledger, **client)
    assert isinstance(report.error, AuthenticationError)
    assert {each.code for each in report.outcomes} == {"NOT_SENT"}
    assert ledger.waiting() == []
