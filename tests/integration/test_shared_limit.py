"""A limit that callers share: used up, it defers records visibly; and much work of one caller lets others pass."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import sandbox
from pv_testing.config import system_config
from pv_testing.config.sections import SharedLimitSection
from pv_testing.core.errors import RateLimited
from pv_testing.core.places import MAPPINGS, project_root
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from tests import yaml_text
from tests.bench import creation, server
from tests.bench.fairness import records

BATCH = 2
CHUNK = 16
"""Records that are claimed together: a batch for half of the requests that may be on their way at a time."""
HUGE = 6 * CHUNK
RATE = 10


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


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    """Give the generic contract with small batches, so that a chunk is small."""
    written = yaml_text.read(project_root() / MAPPINGS / "lims_custom.yaml")
    written["operations"]["create_sample"]["bulk"]["size"] = BATCH
    written["limits"]["concurrency"] = 2 * CHUNK // BATCH
    path = tmp_path / "lims_small_batches.yaml"
    path.write_text(yaml_text.dump(written, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def caller(contract: Path, tmp_path: Path) -> Iterator[Callable[[sandbox.Lab], LIMSClient]]:
    """Give a function that opens a client with a ledger and a session of its own, as another task has them."""
    with ExitStack() as stack:

        def start(lab: sandbox.Lab) -> LIMSClient:
            known: dict[str, Any] = {"base_url": lab.lims_url, "api_key": lab.credentials.lims_api_key}
            config = system_config("lims", contract=str(contract), **known)
            limited = config.overlay(shared_limit=SharedLimitSection(requests=RATE))
            ledger = stack.enter_context(Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}"))
            return stack.enter_context(LIMSClient(config=limited, ledger=ledger, owner="test"))

        yield start


def test_a_small_service_request_passes_what_is_left_of_huge_ones(caller, tmp_path: Path) -> None:
    with sandbox.serve(tmp_path / "lab") as lab, ThreadPoolExecutor() as tasks:
        small = caller(lab)
        small.exchange("create_sample", records("EARLIER", 1)).raise_for_waiting()
        huge = [tasks.submit(caller(lab).exchange, "create_sample", records(number, HUGE)) for number in ("H1", "H2")]
        while min(len(lab.samples(number)) for number in ("H1", "H2")) < CHUNK:  # the first chunk is like any other
            assert not any(each.done() for each in huge)
            time.sleep(0.02)
        small.exchange("create_sample", records("SMALL", CHUNK)).raise_for_waiting()
        for each in huge:
            each.result().raise_for_waiting()
        order = [sample["project_id"] for sample in lab.samples()]
    first, last = order.index("SMALL"), len(order) - order[::-1].index("SMALL")
    let_by = (last - first - CHUNK) // BATCH
    assert let_by < CHUNK // BATCH
    assert Counter(order) == {"EARLIER": 1, "H1": HUGE, "H2": HUGE, "SMALL": CHUNK}
