"""Shows that the ledger's audit trail reaches a running QMS in order, each event once, and can be checked there."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pv_testing.auditing import trail as audit_trail
from pv_testing.auditing.comparison import TrailComparison
from pv_testing.core.errors import ConfigError, ExchangeIncomplete
from pv_testing.core.sync import run
from pv_testing.integrations import QMSClient
from pv_testing.ledger import Claim, Ledger, Refusal
from tests.integration.auditing import Auditing, contract, in_batches

ANY = "POST /api/audit-events"
BULK = f"{ANY}/bulk"
COLUMNS = "external_id, status, body, created_at"


def test_events_arrive_in_order_with_who_what_when_and_from_which_run(auditing: Auditing) -> None:
    auditing.work(*(f"SR-1/SN{number:03}" for number in range(25)))
    auditing.ledger.quarantine("lims", "sample", [Refusal("SR-1/X", "f", "SERIAL_MISSING", "no number")], owner="ada")
    auditing.ledger.release("lims", "sample", ["SR-1/X"], owner="ada")
    auditing.ledger.record("sweep")
    assert auditing.sync().counts()["created"] == 28
    events = auditing.events()
    assert [event["position"] for event in events] == list(range(1, 29))
    first, refused, released, swept = events[0], *events[-3:]
    assert (first["user"], first["session_id"]) == (
        "pv_intake/manual__2026-01-05/create_samples[3] try 2",
        "pv_intake/manual__2026-01-05",
    )
    assert (first["action"], first["resource_type"], first["resource_id"]) == ("created", "lims/sample", "SR-1/SN000")
    assert first["changes"]["external_id"] == "LIM-SR-1/SN000"
    assert first["timestamp"].endswith("Z")
    assert (refused["action"], refused["user"], refused["session_id"]) == ("quarantined", "ada", None)
    assert json.loads(refused["changes"]["detail"])["code"] == "SERIAL_MISSING"
    assert released["action"] == "released"
    assert (swept["action"], swept["user"], swept["resource_type"], swept["resource_id"]) == (
        "sweep",
        "unknown",
        "ledger",
        "-",
    )


def test_each_event_proves_itself_with_standard_tools(auditing: Auditing) -> None:
    auditing.work("Ω/1", "a/2")
    auditing.ledger.record("sweep", detail={"share": 0.1, "of": ["ü", 3, None], "at": {"b": 1, "a": 1.0}})
    auditing.sync()
    previous = "0" * 64
    for event in auditing.events():
        canonical = json.dumps(event["changes"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(canonical.encode()).hexdigest() == event["hash"]
        assert event["changes"]["previous"] == previous
        previous = event["hash"]
    assert previous == list(auditing.ledger.events(limit=3))[-1].hash


def test_deliveries_are_not_sent_and_the_second_run_sends_nothing(auditing: Auditing) -> None:
    auditing.work(*(f"k{number}" for number in range(25)))
    auditing.sync()
    assert auditing.ledger.verify().count == 50
    writes = auditing.writes()
    for _ in range(3):
        assert auditing.sync().total() == 0
    assert auditing.writes() == writes
    assert auditing.ledger.verify().count == 50
    assert auditing.ledger.watermark(audit_trail.LEDGER_MARK) == "50"
    assert auditing.compare() == TrailComparison(auditing.ledger.verify().head, equal=25, deliveries=25)


def test_what_is_new_goes_on_behind_the_deliveries(auditing: Auditing) -> None:
    auditing.work("a", "b")
    auditing.sync()
    auditing.work("c")
    assert auditing.compare().to_come == 1
    auditing.sync()
    assert [event["position"] for event in auditing.events()] == [1, 2, 5]
    assert auditing.compare().differences == []


def test_what_a_person_does_about_an_audit_event_is_sent(auditing: Auditing) -> None:
    key = "x" * 600
    auditing.work("a", key, "b")
    with pytest.raises(ExchangeIncomplete):
        auditing.sync().raise_for_waiting()
    (waiting,) = auditing.ledger.waiting()
    auditing.ledger.confirm("qms", "audit_event", waiting.key, "by hand", owner="ada")
    auditing.sync().raise_for_waiting()
    assert [event["action"] for event in auditing.events()] == ["created", "created", "confirmed"]
    assert auditing.compare().differences == ["event 2 is missing in the QMS"]


def test_nothing_passes_an_event_that_the_qms_refuses(auditing: Auditing) -> None:
    auditing.work(*(f"a{number}" for number in range(4)), "x" * 600, "b")
    assert auditing.sync().counts()["rejected"] == 1
    mark = auditing.ledger.watermark(audit_trail.LEDGER_MARK)
    there = len(auditing.events())
    auditing.work(*(f"c{number}" for number in range(30)))
    for _ in range(2):
        report = auditing.sync()
        assert report.counts()["rejected"] == 1
        assert report.counts()["created"] == 0
        assert report.notes == [audit_trail.STOPPED]
    assert len(auditing.events()) == there == 5
    assert auditing.ledger.watermark(audit_trail.LEDGER_MARK) == mark is None


def test_a_batch_that_is_refused_stops_the_ones_behind_it_and_goes_on_there(auditing: Auditing) -> None:
    auditing.work(*(f"k{number}" for number in range(35)))
    auditing.lab.faults("qms", {"route": BULK, "kind": "error", "status": 403})
    report = auditing.sync()
    assert report.error is not None
    assert report.total() == 10
    auditing.lab.faults("qms")
    assert auditing.sync().counts()["created"] == 35
    assert [event["position"] for event in auditing.events()] == list(range(1, 36))


def test_a_lost_answer_is_looked_up_before_the_next_batch(auditing: Auditing) -> None:
    auditing.work(*(f"k{number}" for number in range(35)))
    auditing.lab.faults("qms", {"route": BULK, "kind": "drop_after", "times": 2})
    counts = auditing.sync().counts()
    assert (counts["adopted"], counts["created"]) == (20, 15)
    assert [event["position"] for event in auditing.events()] == list(range(1, 36))


def test_what_an_attempt_has_begun_is_finished_before_anything_new_is_sent(auditing: Auditing) -> None:
    auditing.work("a", "b", "c")
    events = [record for _, record in _given(auditing)]
    operation = run(_operation(auditing.qms))
    claims = [Claim(event.key, _fingerprint(operation.prepare(event))) for event in events]
    auditing.ledger.claim("qms", "audit_event", claims, owner="a killed attempt", lease=1.5)
    auditing.work("d", "e")
    assert auditing.sync().counts()["created"] == 5
    assert [event["position"] for event in auditing.events()] == [1, 2, 3, 4, 5]


def _given(auditing: Auditing) -> list[audit_trail.Placed]:
    async def gather() -> list[audit_trail.Placed]:
        return [placed async for placed in audit_trail.ledger_events(auditing.ledger, 0, "audit_event")]

    return run(gather())


async def _operation(qms: QMSClient) -> Any:
    return (await qms.provider()).operation(audit_trail.OPERATION)


def _fingerprint(payload: dict[str, Any]) -> str:
    from pv_testing.core.fingerprint import fingerprint

    return fingerprint(payload)


def test_a_qms_without_bulk_gets_them_one_after_the_other(auditing: Auditing, tmp_path: Path) -> None:
    auditing.qms.close()
    auditing.qms = auditing.client(contract(tmp_path, "qms_custom", in_batches(1)))
    auditing.lab.faults("qms", {"route": ANY, "kind": "delay", "seconds": 0.1, "rate": 0.4})
    auditing.work(*(f"k{number}" for number in range(12)))
    auditing.sync().raise_for_waiting()
    assert [event["position"] for event in auditing.events()] == list(range(1, 13))


def test_a_dry_run_changes_nothing(auditing: Auditing) -> None:
    auditing.work(*(f"k{number}" for number in range(12)))
    assert auditing.sync(dry_run=True).counts()["created"] == 12
    assert auditing.events() == []
    assert auditing.ledger.watermark(audit_trail.LEDGER_MARK) is None
    assert auditing.ledger.verify().count == 12


def test_a_replay_sends_what_was_refused(auditing: Auditing) -> None:
    auditing.lab.faults("qms", {"route": f"{ANY}*", "kind": "error", "status": 422})
    auditing.work("a", "b")
    assert auditing.sync().counts()["rejected"] == 2
    auditing.lab.faults("qms")
    assert auditing.sync().counts()["rejected"] == 2
    assert auditing.sync(replay=True).counts()["created"] == 2
    auditing.sync()
    assert [event["action"] for event in auditing.events()] == ["created", "created", "released", "released"]
    assert auditing.sync().total() == 0
    assert auditing.compare().differences == []


def test_a_ledger_restored_from_a_backup_collides_with_nothing(auditing: Auditing, tmp_path: Path) -> None:
    auditing.work("a", "b")
    auditing.sync()
    with restored(auditing, tmp_path) as back:
        auditing.work("lost")
        auditing.sync()
        back(auditing.qms.config.contract)
        auditing.work("other")
        auditing.sync().raise_for_waiting()
        assert [event["position"] for event in auditing.events()] == [1, 2, 5, 5]
        (difference,) = auditing.compare().differences
        assert "not in this ledger" in difference


def test_a_ledger_restored_from_before_a_sync_takes_over_what_the_qms_has(auditing: Auditing, tmp_path: Path) -> None:
    auditing.work("a", "b")
    with restored(auditing, tmp_path) as back:
        auditing.sync()
        back(contract(tmp_path, "qms_custom", lambda o: o["log_audit_event"].update(look_first=True)))
        assert auditing.sync().counts()["adopted"] == 2
        assert auditing.compare().differences == []
        assert auditing.compare().equal == 2


@contextmanager
def restored(auditing: Auditing, directory: Path) -> Iterator[Callable[[str], None]]:
    """Make a backup of the ledger; give a function that puts it in the ledger's place, with a contract for the QMS."""
    backup = directory / "backup.sqlite"
    with sqlite3.connect(directory / "ledger.sqlite") as before, sqlite3.connect(backup) as after:
        before.backup(after)
    with Ledger(f"sqlite:///{backup}") as ledger:

        def back(named: str) -> None:
            auditing.qms.close()
            auditing.ledger = ledger
            auditing.qms = auditing.client(named)

        yield back


def test_two_ledgers_in_one_qms_are_told_apart(auditing: Auditing, tmp_path: Path) -> None:
    auditing.work("a")
    auditing.sync()
    with Ledger(f"sqlite:///{tmp_path / 'new.sqlite'}") as fresh:
        auditing.qms.close()
        auditing.ledger = fresh
        auditing.qms = auditing.client(auditing.qms.config.contract)
        auditing.work("a")
        auditing.sync().raise_for_waiting()
        assert len({event["source"] for event in auditing.events()}) == 2
        assert auditing.compare().differences == []
        assert auditing.compare().equal == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("DELETE FROM audit_events WHERE number = 2", "event 2 is missing in the QMS"),
        ("UPDATE audit_events SET body = json_set(body, '$.user', 'eve') WHERE number = 2", "event 2 differs in user"),
        (f"INSERT INTO audit_events SELECT 9, {COLUMNS} FROM audit_events WHERE number = 3", "event 3 is in the QMS 2"),
        ("UPDATE audit_events SET number = 9 WHERE number = 1", "came to the QMS after a later event"),
    ],
)
def test_the_comparison_finds_what_was_done_to_the_trail_in_the_qms(
    auditing: Auditing, change: str, message: str
) -> None:
    auditing.work("a", "b", "c")
    auditing.sync()
    assert auditing.compare().differences == []
    with sqlite3.connect(auditing.lab.settings.database("qms")) as database:
        database.execute(change)
    (difference,) = auditing.compare().differences
    assert message in difference


def test_a_qms_that_takes_no_audit_events_says_so(auditing: Auditing) -> None:
    redmine = auditing.client("qms_redmine")
    with pytest.raises(ConfigError) as refused:
        run(audit_trail.send_ledger_events(redmine))
    assert refused.value.code == "NO_OPERATION"
    redmine.close()


@pytest.mark.postgres
def test_it_is_the_same_on_postgresql(auditing: Auditing, schema: str) -> None:
    with Ledger(schema) as ledger:
        auditing.qms.close()
        auditing.ledger = ledger
        auditing.qms = auditing.client(auditing.qms.config.contract)
        auditing.work(*(f"k{number}" for number in range(25)))
        auditing.sync().raise_for_waiting()
        assert auditing.sync().total() == 0
        assert auditing.compare().equal == 25
        assert auditing.compare().differences == []
        assert auditing.compare().deliveries == 25
