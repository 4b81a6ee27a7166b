"""A sweep takes what it isn't done with, however old that is, and asks the framework for little to know it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

import sandbox
from pv_testing.core.sync import run
from pv_testing.domain.reading import read_service_request
from pv_testing.integrations import FrameworkClient
from pv_testing.ledger import Ledger
from pv_testing.workflow.sweep import Sweep
from pv_testing.workflow.sweep_backlog import DAY, SweepBacklog

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
    with Ledger.in_memory() as ledger, closing(FrameworkClient(lab.framework_url, ledger=ledger, **user)) as client:
        yield client


class Closed:
    """A sweep that is about no open request, but about closed ones of two years."""

    def __init__(self, framework):
        self.framework, self.ledger = framework, framework.ledger

    def due(self, **options):
        return list(Sweep(self.framework, self.ledger, NAME, (), days=730).due(**options).values())

    def keep(self, finished, deleted=()):
        read = [read_service_request(self.framework.get_service_request(sr_id)) for sr_id in finished]
        run(SweepBacklog(self.ledger, NAME, 730).keep([(each, True) for each in read], deleted))

    def days_later(self, days):
        kept = json.loads(self.ledger.watermark(NAME))
        self.ledger.set_watermark(NAME, json.dumps({**kept, "whole": kept["whole"] - days * DAY}))


@pytest.fixture
def sweep(framework):
    return Closed(framework)


def test_requests_that_were_closed_long_ago_are_looked_for_once_a_day_and_when_they_change(lab, framework, sweep):
    assert sweep.due() == [1, 2, 3]
    sweep.keep([1])
    assert sweep.due() == [2, 3]
    sweep.keep([2, 3])
    lab.withdraw(2, "PVTP-001")
    asked = len(lab.requests("framework"))
    assert sweep.due() == [2]
    listings = lab.requests("framework")[asked:]
    assert [listing["path"] for listing in listings] == ["/api/v1/service-requests", "/api/v1/executions"]
    assert all("updated_from=" in listing["query"] for listing in listings)
    assert not any("from_date=" in listing["query"] for listing in listings)
    sweep.keep([2])
    with closing(sqlite3.connect(lab.settings.database("framework"))) as connection, connection:
        connection.execute("UPDATE service_requests SET updated_at = '2025-09-01T08:00:00.000Z' WHERE id = 3")
    assert sweep.due() == []
    sweep.days_later(1.01)
    assert sweep.due() == [3]
    assert sweep.due() == [3]


def test_a_dry_run_leaves_the_daily_look_to_the_next_run(framework, sweep):
    assert sweep.due(keep=False) == [1, 2, 3]
    assert framework.ledger.watermark(NAME) is None
    assert sweep.due() == [1, 2, 3]


def test_what_is_deleted_is_forgotten(framework, sweep):
    assert sweep.due() == [1, 2, 3]
    for sr_id in (1, 3):
        framework.delete_service_request(sr_id)
    assert sweep.due() == [1, 2, 3]
    sweep.keep([], [1, 3])
    assert sweep.due() == [2]
