"""Runs the integration guide's sample of webhooks as printed; what is sent then has the fields of its payload."""

from __future__ import annotations

import ast
from pathlib import Path

from pv_testing.config import configured_ledger_url
from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Ledger, Settlement
from pv_testing.webhooks.bodies import content

PRINTED = (Path(__file__).parent / "webhook_samples.txt").read_text(encoding="utf-8")


def payload() -> dict:
    """Return the payload that the guide prints."""
    return ast.literal_eval(PRINTED[PRINTED.index("\n{") :].strip())


def test_the_sample_runs_as_printed_and_its_endpoint_is_told_of_what_the_guide_shows(home: Path) -> None:
    for _ in range(2):
        names: dict = {}
        exec(compile(PRINTED, "integration guide", "exec"), names)
        names["webhook_mgr"].close()
    with Ledger(configured_ledger_url()) as ledger:
        (endpoint,) = ledger.endpoints.all()
        assert endpoint.url == "https://your-system.com/webhook"
        assert len(endpoint.events) == 3
        (claimed,) = ledger.claim("lims", "result", [Claim("5678", "f" * 64)], owner="o", lease=60)
        facts = {"sr_number": "SR-2025-0123", "protocol_id": "PVTP-001", "execution_id": "5678", "qc_status": "PASS"}
        ledger.settle([Settlement(claimed, Result.CREATED, "LIM-1", facts=facts)], owner="o")
        (event,) = ledger.outbox.events()
    body = content(event, "https://api.test-protocols.io/api/v1")
    wanted = payload()
    del wanted["signature"]
    assert list(body) == list(wanted)
    assert (body["event"], body["data"]) == (wanted["event"], wanted["data"])
    assert b"your_webhook_secret" not in (home / "pv_ledger.sqlite").read_bytes()
    assert "your_webhook_secret" in (home / "pv_webhook_secrets.json").read_text()
