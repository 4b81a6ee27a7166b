"""Shows what the provider makes of Tryton's answers, each as recorded on a running 8.2.1, on real sockets."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pv_testing.config import system_config
from pv_testing.contracts.load import load_contract
from pv_testing.core.errors import AuthenticationError, Conflict, Rejected
from pv_testing.core.records import Verdict
from pv_testing.core.response import Response
from pv_testing.ledger import Ledger
from pv_testing.providers.registry import open_provider
from pv_testing.providers.tryton.answers import classify
from pv_testing.providers.tryton.encoding import decoded, encoded

SESSION = [2, "5b1c", [], ""]
PREFERENCES = {"company": 1, "name": "Integration", "language": "en"}
NOT_TWICE = ["UserError", ['You can not call "post" on "1 [SR-1]" of "Account Invoice".', "", None]]
PASSED = ["UserWarning", ["invoice_payment_term.1", "The payment term of invoice 1 has\xa0passed.", ""]]
FASTER = ["ConcurrencyException", "account.invoice,1"]


def answered(body: Any, status: int = 200) -> Response:
    return Response(status, {}, body if isinstance(body, bytes) else orjson.dumps(body))


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize(
    ("error", "code", "kind", "reason"),
    [
        (NOT_TWICE, "USER_ERROR", Rejected, 'You can not call "post" on "1 [SR-1]" of "Account Invoice".'),
        (PASSED, "USER_WARNING", Conflict, "The payment term of invoice 1 has passed."),
        (FASTER, "CHANGED_MEANWHILE", Conflict, "account.invoice,1"),
    ],
)
def test_a_no_inside_of_a_200_is_final(repeatable, error, code, kind, reason):
    outcome = classify(answered({"id": 1, "error": error}), repeatable)
    assert (outcome.verdict, outcome.code, outcome.error, outcome.reason) == (Verdict.REJECTED, code, kind, reason)


@pytest.mark.parametrize(("repeatable", "verdict"), [(True, Verdict.RETRYABLE), (False, Verdict.AMBIGUOUS)])
@pytest.mark.parametrize("body", [{"id": 1, "error": ["'nothing'", ""]}, {"id": 1}, ["?"], {"error": "?"}])
def test_any_other_failure_inside_of_a_200_leaves_the_fate_of_a_write_open(repeatable, verdict, body):
    assert classify(answered(body), repeatable).verdict is verdict


def test_a_busy_database_has_done_nothing():
    assert classify(answered({"id": 1, "error": ["database is locked", ""]}), False).verdict is Verdict.RETRYABLE


def test_a_result_that_says_nothing_is_a_yes():
    assert classify(answered({"id": 1, "result": None}), False).verdict is Verdict.OK


def test_a_refusal_that_describes_half_the_database_is_cut_to_its_sentence():
    outcome = classify(
        answered({"error": ["UserError", ["Not valid.", "", [[["id", "=", 1]], {"x": "y" * 50_000}]]]}), False
    )
    assert outcome.reason == "Not valid."


def test_decimals_and_dates_travel_as_objects_at_any_depth():
    value = [{"amount": Decimal("4200.00"), "lines": [["create", [{"on": date(2026, 11, 25), "quantity": 0.25}]]]}]
    sent = orjson.loads(orjson.dumps(encoded(value)))
    assert sent[0]["amount"] == {"__class__": "Decimal", "decimal": "4200.00"}
    assert decoded(sent) == value
    assert str(decoded(sent)[0]["amount"]) == "4200.00"


def identity(login: Sequence[Any]) -> tuple[str, list[Any]]:
    """Return as whom a provider finds itself known, and the credentials that its calls carried."""
    carried: list[Any] = []
    answers = iter(login)

    async def rpc(request: web.Request) -> web.Response:
        call = await request.json()
        if call["method"] == "common.db.login":
            return web.json_response({"id": 0, "result": next(answers)})
        carried.append(request.headers.get("Authorization"))
        expired = len(carried) < len(login)
        return web.json_response({"id": 1, "result": PREFERENCES}, status=401 if expired else 200)

    async def ask() -> str:
        application = web.Application()
        application.router.add_post("/laboratory/rpc/", rpc)
        async with TestServer(application) as server:
            url = str(server.make_url("/laboratory"))
            config = system_config("erp", url, provider="Tryton", auth_type="basic", username="i", password="word")
            with Ledger.in_memory() as ledger:
                provider = open_provider(config, load_contract(config.contract), ledger)
                try:
                    return await provider.identity()
                finally:
                    await provider.aclose()

    return asyncio.run(ask()), carried


def test_a_session_carries_name_number_and_key_and_is_renewed_when_it_has_expired():
    who, carried = identity([SESSION, [2, "77aa", [], ""]])
    assert who == "Integration"
    assert carried == [f"Session {base64.b64encode(f'i:2:{key}'.encode()).decode()}" for key in ("5b1c", "77aa")]


def test_a_user_who_needs_more_than_a_password_is_refused():
    with pytest.raises(AuthenticationError, match="more than a password"):
        identity([None])
