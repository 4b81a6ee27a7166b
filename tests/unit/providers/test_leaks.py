"""Shows that credentials that a system repeats get into no report, log or ledger, whatever their header."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

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
    headers: list[str] = []

    async def create(request: web.Request) -> web.Response:
        heard = json.dumps([f"{name} is {value}" for name, value in request.headers.items()])
        headers.append(heard)
        return web.json_response({"error": {"code": f"BAD {heard}", "message": f"cannot route {heard}"}}, status=400)

    lims, ledger = PlainLims(), Ledger.in_memory()
    lims.create = create
    with caplog.at_level(logging.DEBUG):
        report = exchange(lims, contract(tmp_path), sample(), ledger=ledger, **client)
    assert secret in headers[0]
    told = [report.table(), str(report.outcomes), *(str(event) for event in ledger.events())]
    assert [text for text in (*told, caplog.text) if secret in text] == []


KEY = "ca/na+ry&Key:1"
SPELLINGS: dict[str, Any] = {
    "percent in lower case": lambda key: quote(key, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "every byte in percent": lambda key: "".join(f"%{byte:02x}" for byte in key.encode()),
    "percent twice": lambda key: quote(quote(key, safe="")),
    "decimal entities": lambda key: "".join(f"&#{ord(each)};" for each in key),
    "hexadecimal entities": lambda key: "".join(f"&#x{ord(each):X};" for each in key),
    "named entities": lambda key: key.replace("&", "&amp;").replace("/", "&sol;").replace("+", "&plus;"),
    "JSON": lambda key: "".join(f"\\u{ord(each):04x}" for each in key),
    "JSON in JSON": lambda key: json.dumps("".join(f"\\u{ord(each):04X}" for each in key)),
    "entities in addresses": lambda key: quote(key.replace("&", "&amp;").replace("/", "&#47;"), safe=""),
    "hex": lambda key: key.encode().hex(),
    "HEX": lambda key: key.encode().hex().upper(),
    "Base64": lambda key: base64.b64encode(key.encode()).decode(),
    "Base64 for addresses": lambda key: base64.urlsafe_b64encode(key.encode()).decode().rstrip("="),
    "Base64 as a part": lambda key: base64.b64encode(f"u:{key}:v".encode()).decode(),
    "Base64 as another part": lambda key: base64.urlsafe_b64encode(f"us:{key}".encode()).decode().rstrip("="),
    "Base64 as a third part": lambda key: base64.b64encode(f"usr:{key}".encode()).decode(),
}


@pytest.mark.parametrize("way", SPELLINGS)
def test_a_credential_that_is_repeated_in_another_spelling_is_blotted_out(
    tmp_path: Path, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    spelt = SPELLINGS[way](KEY)

    async def create(request: web.Request) -> web.Response:
        assert request.headers["X-API-Key"] == KEY
        message = f"who are you, <{spelt}>?"
        return web.json_response({"error": {"code": f"BAD <{spelt}>", "message": message}}, status=400)

    lims, ledger = PlainLims(), Ledger.in_memory()
    lims.create = create
    with caplog.at_level(logging.DEBUG):
        report = exchange(lims, contract(tmp_path), sample(), ledger=ledger, api_key=KEY)
    kept = [str(row) for row in (*ledger.events(), *ledger.entries())]
    told = [report.table(), str(report.outcomes), caplog.text, *kept]
    assert [text for text in told if spelt in text or spelt[4:-4] in text] == []
    assert report.outcomes[0].reason.startswith("who are you, <")
    assert "***" in report.outcomes[0].reason
