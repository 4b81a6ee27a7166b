"""Shows that credentials that a system repeats get into no report, log or ledger, whatever their header."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pv_testing.ledger import Ledger
from tests.unit.providers.plain_lims import PlainLims, contract, exchange, sample

WAYS: dict[str, tuple[dict[str, Any], str]] = {
    "api_key": ({"api_key": "canary-1"}, "canary-1"),
    "a header of its own": ({"api_key": "canary-2", "api_key_header": "X-Lims-Door"}, "canary-2"),
    "bearer": ({"api_key": None, "auth_type": "bearer", "token": "canary-3"}, "canary-3"),
    "basic": (
        {"api_key": None, "auth_type": "basic", "username": "u", "password": "canary-4"},
        base64.b64encode(b"u:canary-4").decode(),
    ),
    "oauth2": (
        {"api_key": None, "auth_type": "oauth2", "client_id": "c", "client_secret": "canary-5"},
        "canary-token",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_a_system_repeats_is_blotted_out(tmp_path: Path, way: str, caplog: pytest.LogCaptureFixture) -> None:
    client, secret = WAYS[way]
    said: list[str] = []

    async def create(request: web.Request) -> web.Response:
        heard = json.dumps([f"{name} is {value}" for name, value in request.headers.items()])
        said.append(heard)
        return web.json_response({"error": {"code": f"BAD {heard}", "message": f"cannot route {heard}"}}, status=400)

    lims, ledger = PlainLims(), Ledger()
    lims.create = create
    with caplog.at_level(logging.DEBUG):
        report = exchange(lims, contract(tmp_path), sample(), ledger=ledger, **client)
    assert secret in said[0]
    told = [report.table(), str(report.outcomes), *(str(event) for event in ledger.events())]
    assert [text for text in (*told, caplog.text) if secret in text] == []
