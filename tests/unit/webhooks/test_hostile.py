"""Thousands of hostile requests are each answered with 4xx, and leave nothing: neither in the ledger nor in a log."""

from __future__ import annotations

import logging

import pytest
from starlette.testclient import TestClient

from pv_testing.ledger import Ledger
from tests.chaos import hostile_requests
from tests.unit.webhooks import receiving


@pytest.mark.parametrize("seed", [1, 2])
def test_each_is_answered_with_4xx_and_leaves_nothing(tmp_path, caplog, seed: int) -> None:
    caplog.set_level(logging.DEBUG)
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
        app = receiving.application(ledger, receiving.settings(tmp_path), tmp_path)
        answers: dict[int, int] = {}
        with TestClient(app, raise_server_exceptions=False) as client:
            for each in hostile_requests.requests(2_000, seed):
                headers = {name: value.encode("latin-1", "ignore") for name, value in each.headers.items()}
                answer = client.post(each.path, content=each.body, headers=headers)
                answers[answer.status_code] = answers.get(answer.status_code, 0) + 1
                assert 400 <= answer.status_code < 500, each
        assert ledger.inbox.counts() == {}
    assert answers.keys() >= {400, 401, 404}
    assert "sr_number" not in caplog.text
