"""A quota of the day that is used up defers records visibly, whichever process comes, and sends none twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pv_testing.config import system_config
from pv_testing.config.sections import SharedLimitSection
from pv_testing.core.errors import RateLimited
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from tests.bench import creation, server


@pytest.fixture
def lims(tmp_path: Path):
    """Give a function that opens a client of a LIMS which takes seven requests a day, as another process would."""
    with server.running() as address:

        def start(ledger: Ledger) -> LIMSClient:
            contract = str(creation.single_contract())
            config = system_config("lims", base_url=address, api_key="key", contract=contract)
            limited = config.overlay(shared_limit=SharedLimitSection(daily=7))
            return LIMSClient(config=limited, ledger=ledger, owner="test")

        yield start


def test_what_does_not_fit_into_the_quota_of_the_day_waits_and_says_until_when(lims, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    with Ledger(url) as ledger, lims(ledger) as client:
        client.exchange("create_sample", creation.records(4)).raise_for_waiting()
    with Ledger(url) as ledger, lims(ledger) as client:
        report = client.exchange("create_sample", creation.records(10))
        counts = Counter(ledger.counts())
    assert isinstance(report.error, RateLimited)
    assert "7 requests in 24 h are used up; it goes on at 20" in report.error.message
    assert report.error.retry_after > 23 * 3600
    assert report.counts()["created"] == 3
    assert report.counts()["unchanged"] == 4
    assert {outcome.code for outcome in report.not_in_effect()} == {"NOT_SENT"}
    assert counts["lims", "sample", "confirmed"] == 7
