"""Shows that the framework's audit trail reaches a running QMS with its people and times, each event once."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pv_testing.auditing import trail as audit_trail
from pv_testing.core.errors import ConfigError
from pv_testing.core.sync import run
from pv_testing.integrations import FrameworkClient
from tests.integration.auditing import Auditing, contract


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
