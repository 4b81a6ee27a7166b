"""Audit events as records: who, what, when, and nothing that is to be masked."""

from __future__ import annotations

import pytest

from pv_testing.auditing.events import framework_record, is_delivery, lacks_zone, ledger_record, masked, place_of
from pv_testing.ledger import AuditEvent, Ledger

ROW = {
    "id": 7,
    "timestamp": "2026-01-05T10:00:00Z",
    "user": {"id": 5, "username": "pmenon"},
    "action": "data_update",
    "resource_type": "service_request",
    "resource_id": 12,
    "old_value": "A",
    "new_value": "B",
    "ip_address": "192.0.2.17",
}


def event(**fields: str) -> AuditEvent:
    with Ledger.in_memory() as ledger:
        ledger.record(fields.pop("action", "sweep"), **fields)
        return next(ledger.events())


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.17", "192.0.2.0"),
        (" 10.1.2.255 ", "10.1.2.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("fe80::1%eth0", "fe80::"),
        ("192.0.2", None),
        ("lab-pc-3", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_is_cut_to_its_network_and_what_is_none_is_left_out(address: object, network: str | None) -> None:
    assert masked(address) == network


def test_the_hash_does_not_give_the_masked_part_away_and_stays_when_the_option_changes() -> None:
    first = framework_record(ROW)
    other = framework_record({**ROW, "ip_address": "192.0.2.99"}, mask_ip=True)
    assert first.data["hash"] == other.data["hash"]
    assert first.key == other.key
    assert (first.data["ip_address"], other.data["ip_address"]) == ("192.0.2.17", "192.0.2.0")


@pytest.mark.parametrize("field", ["id", "timestamp", "user", "action", "resource_id", "new_value", "session_id"])
def test_another_content_is_another_key(field: str) -> None:
    assert framework_record({**ROW, field: "other"}).key != framework_record(ROW).key


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"user": {"id": 5}}, "5"),
        ({"user": "ada"}, "ada"),
        ({"user": None, "username": "ada"}, "ada"),
        ({"user": None, "user_id": 5}, "5"),
        ({"user": None}, "unknown"),
        ({"user": {"id": None, "username": None}}, "unknown"),
    ],
)
def test_a_user_is_named_as_well_as_the_framework_does(fields: dict[str, object], name: str) -> None:
    assert framework_record({**ROW, **fields}).data["user"] == name


def test_an_event_without_id_is_known_by_its_content() -> None:
    row = {name: value for name, value in ROW.items() if name != "id"}
    assert framework_record(row).key == framework_record({**row, "id": None}).key
    assert framework_record(row).key.count("/") == 1
    assert (place_of(row), framework_record(row).data["position"]) == (0, None)
    assert place_of({"id": "e-7"}) == 0


def test_changes_are_taken_as_they_are_or_made_of_both_sides() -> None:
    assert framework_record(ROW).data["changes"] == {"old": "A", "new": "B"}
    assert framework_record({**ROW, "changes": {"status": "B"}}).data["changes"] == {"status": "B"}
    assert framework_record({**ROW, "old_value": None, "new_value": None}).data["changes"] is None


@pytest.mark.parametrize(
    ("time", "lacks"),
    [
        ("2026-01-05T10:00:00", True),
        ("2026-01-05T10:00:00.123", True),
        ("2026-01-05T10:00:00z", False),
        ("2026-01-05T10:00:00+01:00", False),
        ("2026-01-05T10:00:00-05:30", False),
    ],
)
def test_a_time_without_a_zone_is_told(time: str, lacks: bool) -> None:
    assert lacks_zone({"timestamp": time}) is lacks


@pytest.mark.parametrize(
    ("owner", "session"),
    [
        ("pv_intake/manual__2026-01-05T10:00:00+00:00/make[3] try 2", "pv_intake/manual__2026-01-05T10:00:00+00:00"),
        ("pv_intake/run/create_samples try 1", "pv_intake/run"),
        ("ada", None),
        ("ada/night shift", None),
        ("", None),
    ],
)
def test_the_session_is_the_run(owner: str, session: str | None) -> None:
    record = ledger_record(event(owner=owner), "ledger/1")
    assert record.data["session_id"] == session
    assert record.data["user"] == owner or not owner


def test_only_deliveries_of_audit_events_are_deliveries() -> None:
    assert is_delivery(event(action="settle", kind="audit_event"), "audit_event")
    assert not is_delivery(event(action="release", kind="audit_event"), "audit_event")
    assert not is_delivery(event(action="settle", kind="sample"), "audit_event")
