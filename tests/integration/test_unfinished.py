"""A sweep takes what it isn't done with, however old that is, and asks the framework for little to know it."""

from __future__ import annotations

import json
import time
from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest

import sandbox
from pv_testing.domain.reading import read_service_request
from pv_testing.integrations import FrameworkClient
from pv_testing.ledger import Ledger
from pv_testing.transports.sync import run
from pv_testing.workflows.unfinished import DAY, RECENT_DAYS, Unfinished

NAME = "erp/invoices"


@pytest.fixture
def lab(tmp_path):
    with sandbox.serve(tmp_path / "lab", seed_plan=sandbox.SeedPlan(requests=3, modules=1, protocols=1)) as served:
        for sr_id in (1, 2, 3):
            served.advance(sr_id, "CLOSED")
        yield served


@pytest.fixture
def framework(lab):
    known = lab.credentials
    user = {"username": known.framework_username, "password": known.framework_password}
    with Ledger() as ledger, closing(FrameworkClient(lab.framework_url, ledger=ledger, **user)) as client:
        yield client


@pytest.fixture
def sweep(framework):
    return Unfinished(framework.ledger, NAME, 730)


def finish(sweep, framework, *ids):
    run(sweep.keep([(read_service_request(framework.get_service_request(sr_id)), True) for sr_id in ids]))


def days_later(ledger, days):
    kept = json.loads(ledger.watermark(NAME))
    ledger.set_watermark(NAME, json.dumps({**kept, "looked": time.time() - days * DAY}))


def test_requests_that_were_closed_long_ago_are_looked_for_once_a_day(lab, framework, sweep):
    assert sweep.closed(framework) == [1, 2, 3]
    finish(sweep, framework, 1)
    assert sweep.closed(framework) == [2, 3]
    finish(sweep, framework, 2, 3)
    lab.withdraw(2, "PVTP-001")
    asked = len(lab.requests("framework"))
    assert sweep.closed(framework) == []
    (listing,) = lab.requests("framework")[asked:]
    since = datetime.now(timezone.utc).date() - timedelta(days=RECENT_DAYS)
    assert f"from_date={since.isoformat()}" in listing["query"]
    days_later(framework.ledger, 1.01)
    assert sweep.closed(framework) == [2]
    assert sweep.closed(framework) == [2]


def test_a_dry_run_leaves_the_daily_look_to_the_next_run(framework, sweep):
    assert sweep.closed(framework, keep=False) == [1, 2, 3]
    assert framework.ledger.watermark(NAME) is None
    assert sweep.closed(framework) == [1, 2, 3]


def test_what_is_deleted_is_forgotten(framework, sweep):
    assert sweep.closed(framework) == [1, 2, 3]
    run(sweep.keep([], [1, 3]))
    assert sweep.closed(framework) == [2]
