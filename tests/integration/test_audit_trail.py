"""Shows that the audit trails reach a running QMS in order, each event once, and can be checked there."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import sandbox
from pv_testing.auditing import trail as audit_trail
from pv_testing.auditing.comparison import TrailComparison
from pv_testing.core.errors import ConfigError, ExchangeIncomplete
from pv_testing.core.sync import run
from pv_testing.integrations import FrameworkClient, QMSClient
from pv_testing.ledger import Claim, Ledger, Refusal
from tests.integration.auditing import Auditing, contract, in_batches

ANY = "POST /api/audit-events"
BULK = f"{ANY}/bulk"
COLUMNS = "external_id, status, body, created_at"


@pytest.fixture
def auditing(tmp_path: Path) -> Iterator[Auditing]:
    plan = sandbox.SeedPlan(modules=1, protocols=1)
    with (
        sandbox.serve(tmp_path / "lab", seed_plan=plan) as lab,
        Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger,
    ):
        given = Auditing(lab, ledger, tmp_path)
        yield given
        given.framework.close()
        given.qms.close()


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
    ("change", "said"),
    [
        ("DELETE FROM audit_events WHERE number = 2", "event 2 is missing in the QMS"),
        ("UPDATE audit_events SET body = json_set(body, '$.user', 'eve') WHERE number = 2", "event 2 differs in user"),
        (f"INSERT INTO audit_events SELECT 9, {COLUMNS} FROM audit_events WHERE number = 3", "event 3 is in the QMS 2"),
        ("UPDATE audit_events SET number = 9 WHERE number = 1", "came to the QMS after a later event"),
    ],
)
def test_the_comparison_finds_what_was_done_to_the_trail_in_the_qms(auditing: Auditing, change: str, said: str) -> None:
    auditing.work("a", "b", "c")
    auditing.sync()
    assert auditing.compare().differences == []
    with sqlite3.connect(auditing.lab.settings.database("qms")) as database:
        database.execute(change)
    (difference,) = auditing.compare().differences
    assert said in difference


def test_the_frameworks_events_come_with_their_people(auditing: Auditing) -> None:
    auditing.framework.update_service_request(1, status="INSPECTION_COMPLETE")
    auditing.lab.advance(1, "TESTING_COMPLETE")
    report = auditing.sync_framework()
    assert report.counts()["created"] == 2
    ours, laboratory = auditing.events("framework")
    assert (ours["user"], ours["action"], ours["resource_type"]) == ("integration", "data_update", "service_request")
    assert ours["changes"] == {"old": "PENDING_INSPECTION", "new": "INSPECTION_COMPLETE"}
    assert ours["ip_address"] == "192.0.2.9"
    assert (laboratory["user"], laboratory["ip_address"], laboratory["session_id"]) == ("laboratory", None, None)
    assert [ours["position"], laboratory["position"]] == [1, 2]
    assert auditing.sync_framework().counts()["unchanged"] == 2
    assert len(auditing.events("framework")) == 2


def test_a_time_without_a_zone_is_utc_and_noted(auditing: Auditing) -> None:
    for number in range(6):
        auditing.framework.update_service_request(1, testing={"special_requirements": str(number)})
    report = auditing.sync_framework()
    report.raise_for_waiting()
    (note,) = report.notes
    assert note.startswith("1 times have no zone and are taken as UTC")
    stored = auditing.lab.framework_rows("SELECT timestamp FROM audit_events ORDER BY id")
    assert [row["timestamp"].endswith("Z") for row in stored] == [True] * 4 + [False, True]
    moments = [event["timestamp"] for event in auditing.events("framework")]
    assert moments == sorted(moments)
    assert all(moment.endswith("Z") for moment in moments)


def test_an_event_that_the_framework_wrote_late_is_found_in_the_overlap(auditing: Auditing) -> None:
    for number in range(4):
        auditing.framework.update_service_request(1, testing={"special_requirements": str(number)})
    _sql(auditing, "UPDATE audit_events SET id = 50 WHERE id = 2")
    auditing.sync_framework()
    _sql(auditing, "INSERT INTO audit_events SELECT 2, username, action, resource_type, resource_id, old_value,"
         " 'late', ip_address, session_id, timestamp FROM audit_events WHERE id = 3")  # fmt: skip
    assert auditing.sync_framework().counts()["created"] == 1
    assert [event["position"] for event in auditing.events("framework")] == [1, 3, 4, 50, 2]


def test_a_long_trail_of_the_framework_is_read_from_the_watermark_on(auditing: Auditing) -> None:
    _sql(auditing, "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 450) INSERT INTO"
         " audit_events SELECT i, 'jdoe', 'protocol_execute', 'execution', i, NULL, 'x', '192.0.2.42', NULL,"
         " '2026-01-05T10:00:00Z' FROM n")  # fmt: skip
    assert auditing.sync_framework().counts()["created"] == 450
    assert auditing.ledger.watermark(audit_trail.FRAMEWORK_MARK) == "450"
    assert [event["position"] for event in auditing.events("framework")] == list(range(1, 451))
    assert auditing.sync_framework().counts()["unchanged"] == 101


def _sql(auditing: Auditing, statement: str) -> None:
    with sqlite3.connect(auditing.lab.settings.database("framework")) as database:
        database.execute(statement)


def test_an_event_that_was_altered_in_the_framework_shows_beside_the_first(auditing: Auditing) -> None:
    auditing.framework.update_service_request(1, status="INSPECTION_COMPLETE")
    auditing.sync_framework()
    _sql(auditing, "UPDATE audit_events SET username = 'eve'")
    auditing.sync_framework()
    assert [(event["position"], event["user"]) for event in auditing.events("framework")] == [
        (1, "integration"),
        (1, "eve"),
    ]


def test_ip_addresses_are_masked_where_the_qms_says_so_and_nothing_is_sent_anew(auditing: Auditing) -> None:
    auditing.framework.update_service_request(1, status="INSPECTION_COMPLETE")
    auditing.sync_framework()
    auditing.qms.close()
    auditing.qms = auditing.client(auditing.qms.config.contract, mask_ip=True)
    auditing.framework.update_service_request(1, status="PROTOCOLS_ASSIGNED")
    auditing.sync_framework().raise_for_waiting()
    assert [event["ip_address"] for event in auditing.events("framework")] == ["192.0.2.9", "192.0.2.0"]


def test_a_mask_that_is_no_truth_value_is_a_mistake(auditing: Auditing) -> None:
    with pytest.raises(ConfigError, match="mask_ip must be true or false"):
        auditing.client(auditing.qms.config.contract, mask_ip="yes")


def test_an_option_that_nobody_reads_is_a_mistake_for_whoever_wrote_it_believes_in_it(auditing: Auditing) -> None:
    with pytest.raises(ConfigError, match="unknown option 'mask_ips'; did you mean 'mask_ip'"):
        auditing.client(auditing.qms.config.contract, mask_ips=True)


def test_a_framework_without_the_listing_is_noted(auditing: Auditing, tmp_path: Path) -> None:
    known = auditing.lab.credentials
    path = contract(tmp_path, "framework", lambda operations: operations.pop("list_audit_events"))
    with FrameworkClient(
        auditing.lab.framework_url,
        username=known.framework_username,
        password=known.framework_password,
        contract=path,
    ) as framework:
        report = run(audit_trail.send_framework_events(framework, auditing.qms))
    assert report.total() == 0
    assert "has no list_audit_events" in report.notes[0]


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
