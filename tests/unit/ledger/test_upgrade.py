"""A ledger of an earlier release is upgraded as it is: what it keeps is the baseline, and everything after is told."""

from __future__ import annotations

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from pv_testing.core.errors import LedgerAltered
from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Ledger, Settlement, State
from pv_testing.ledger.audit import Draft, append
from pv_testing.ledger.store import Store

A, B = "a" * 64, "b" * 64


def earlier(url: str, revision: str = "0001") -> Store:
    """Make the tables of an earlier release."""
    store = Store(url)
    config = Config()
    config.set_main_option("script_location", "pv_testing.ledger:migrations")
    with store.exclusive() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return store


ROW = (
    "INSERT INTO ledger_record (system, kind, key, state, fingerprint, confirmed, revision, external_id, doubtful, "
    "code, reason, token, owner, lease_until, before_state, before_fingerprint, changed_at) VALUES ('lims', 'sample', "
    ":key, :state, :fingerprint, :confirmed, :revision, :external_id, :doubtful, :code, :reason, :token, 'o', 0, "
    "'released', '', 1e9)"
)


def put(connection, key: str, state: str, **values: object) -> None:
    usual = {
        "fingerprint": A,
        "confirmed": "",
        "revision": 0,
        "external_id": "",
        "doubtful": "",
        "code": "",
        "reason": "",
    }
    connection.execute(text(ROW), {**usual, "token": 1, "key": key, "state": state, **values})


def event(action: str, key: str, result: str = "", external_id: str = "", fingerprint: str = A, **detail) -> Draft:
    return Draft("o", action, "lims", "sample", key, result, external_id, fingerprint, detail)


@pytest.fixture
def old(url) -> str:
    """Give the URL of a ledger of the earlier release, with events as that release wrote them."""
    store = earlier(url)
    with store.writing() as writing:
        connection = writing.connection
        put(connection, "created", "confirmed", confirmed=A, revision=1, external_id="LIM-1")
        put(connection, "not sent", "unknown", doubtful=A, token=2)
        put(connection, "refused", "quarantined", doubtful=B, code="X", reason="x", token=2)
        put(connection, "in flight", "in_flight")
        put(connection, "refused, then not sent", "quarantined", code="X", reason="x", token=2)
        connection.execute(text("INSERT INTO ledger_watermark (name, value) VALUES ('lims/results', '7'), ('w', '8')"))
        append(writing, [
            event("settle", "created", "created", "LIM-1", token=1, revision=1),
            event("settle", "not sent", "deferred", token=2, revision=1, code="NOT_SENT", reason="x"),
            event("quarantine", "refused", "quarantined", code="X", reason="x"),
            event("quarantine", "refused, then not sent", "quarantined", code="X", reason="x"),
            event("settle", "refused, then not sent", "deferred", "", B, token=2, revision=1, code="NOT_SENT"),
        ])  # fmt: skip
    store.close()
    return url


def test_what_is_there_before_the_upgrade_is_the_baseline_and_an_event_says_so(old):
    for _ in range(2):
        with Ledger(old) as ledger:
            summary = ledger.verify()
            assert (summary.count, summary.records, summary.watermarks) == (8, 5, 2)
    with Ledger(old) as ledger:
        baseline, *marks = ledger.events(after=5)
        assert (baseline.action, baseline.owner) == ("baseline", "upgrade to 0002")
        assert baseline.detail == {"records": 5, "watermarks": 2, "schema": "0002"}
        assert [(event.action, event.key) for event in marks] == [("mark", "lims/results"), ("mark", "w")]


def test_work_goes_on_after_the_upgrade_and_is_told_as_always(old):
    with Ledger(old) as ledger:
        keys = [Claim(key, B) for key in ("created", "not sent", "refused", "new")]
        claimed = {one.key: one for one in ledger.claim("lims", "sample", keys, owner="o", lease=60)}
        ledger.settle([Settlement(claimed["created"], Result.UPDATED, "LIM-1")], owner="o")
        ledger.settle([Settlement(claimed["not sent"], Result.DEFERRED, code="ABSENT")], owner="o")
        ledger.settle([Settlement(claimed["refused"], Result.ADOPTED, "LIM-2")], owner="o")
        ledger.set_watermark("w", "9")
        assert ledger.verify().records == 6
        assert {entry.key: entry.state for entry in ledger.entries()}["refused"] is State.CONFIRMED


@pytest.mark.parametrize(
    "forged",
    [
        "UPDATE ledger_record SET external_id = 'FORGED' WHERE key = 'created'",
        "UPDATE ledger_record SET state = 'confirmed', confirmed = 'f' WHERE key = 'not sent'",
        "UPDATE ledger_watermark SET value = '9' WHERE name = 'w'",
        "INSERT INTO ledger_watermark (name, value) VALUES ('put in', '9')",
    ],
)
def test_what_is_forged_after_the_upgrade_is_named(old, forged):
    with Ledger(old) as ledger:
        ledger.verify()
        with ledger._store.exclusive() as connection:
            connection.execute(text(forged))
        with pytest.raises(LedgerAltered) as caught:
            ledger.verify()
        assert caught.value.count == 1


def test_an_empty_ledger_of_an_earlier_release_needs_no_baseline(url):
    earlier(url).close()
    with Ledger(url) as ledger:
        assert ledger.verify().count == 0
