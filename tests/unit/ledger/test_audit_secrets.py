"""Shows that the audit trail keeps no credential of an event's detail, and that it verifies nevertheless."""

from __future__ import annotations

from pv_testing.ledger import Ledger


def test_a_credential_in_the_detail_of_an_event_is_blotted_out() -> None:
    detail = {
        "api_key": "abc",
        "pin": {"password": 123456, "Authorization": ["Bearer x"], "token": ""},
        "list": [{"clientSecret": {"a": "b"}}],
        "text": "password=hunter2",
        "key": "SR-1/A",
        "with_token": True,
        "password": None,
    }
    with Ledger.in_memory() as ledger:
        ledger.record("try", detail=detail)
        (event,) = ledger.events()
        ledger.verify()
    assert event.detail == {
        "api_key": "***",
        "pin": {"password": "***", "Authorization": "***", "token": ""},
        "list": [{"clientSecret": "***"}],
        "text": "password=***",
        "key": "SR-1/A",
        "with_token": True,
        "password": None,
    }
