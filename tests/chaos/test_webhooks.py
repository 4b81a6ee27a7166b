"""A small storm over the receiver; the great one is in ``python -m tests.chaos --webhooks``."""

from __future__ import annotations

import pytest

from tests.chaos.webhook_storm import WebhookStorm


@pytest.mark.parametrize("database", ["file", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_killed_receiver_loses_nothing_that_it_has_acknowledged_and_nothing_takes_effect_twice(
    database: str, tmp_path, request: pytest.FixtureRequest
) -> None:
    ledger = f"sqlite:///{tmp_path / 'ledger.sqlite'}" if database == "file" else request.getfixturevalue("schema")
    verdict = WebhookStorm(ledger, tmp_path, events=600, kills=3).run()
    assert verdict.holds, verdict.lines()
    assert verdict.sent == 780
