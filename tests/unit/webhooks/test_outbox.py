"""An event is written by the transaction that settles its record, only where somebody wants it, and is claimed once."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from pv_testing.core.records import Result
from pv_testing.domain.events import EVENTS, FACTS, REPORT_GENERATED, Occurrence, occurrences
from pv_testing.ledger import Claim, Ledger, Refusal, Settlement
from pv_testing.ledger.endpoints import Endpoint, SecretName
from pv_testing.ledger.outbox import DEAD, DELIVERED, PENDING, Delivered

FINGERPRINT = "f" * 64
EXECUTION = {
    "sr_number": "SR-1", "execution_id": "5678", "protocol_id": "PVTP-001", "qc_status": "PASS",
    "measurements": [{"parameter": "Pmax"}], "operator": {"name": "Ada"},
}  # fmt: skip


def listen(ledger: Ledger, *events: str, name: str = "lab") -> str:
    secret = SecretName("env:SECRET", "00000000")
    return ledger.endpoints.put(Endpoint(name, f"https://{name}.example.com/", events or ("*",), (secret,)), "ada").id


def settle(
    ledger: Ledger, kind: str, key: str, result: Result, fingerprint: str = FINGERPRINT, **facts: object
) -> None:
    (claimed,) = ledger.claim("lims", kind, [Claim(key, fingerprint)], owner="o", lease=60)
    ledger.settle([Settlement(claimed, result, "LIM-1", "CODE", "why", facts=facts)], owner="o")


def names(ledger: Ledger) -> list[str]:
    return [event.name for event in reversed(ledger.outbox.events())]


def test_without_an_endpoint_nothing_is_written(ledger) -> None:
    settle(ledger, "sample", "SR-1/SN1", Result.CREATED)
    assert ledger.outbox.events() == []


def test_a_completed_protocol_says_what_the_guide_prints(ledger) -> None:
    listen(ledger, "protocol.*")
    settle(ledger, "result", "5678", Result.CREATED, **EXECUTION)
    (event,) = ledger.outbox.events()
    assert event.data == {
        "execution_id": 5678, "protocol_id": "PVTP-001", "sr_number": "SR-1", "status": "COMPLETE", "qc_status": "PASS",
    }  # fmt: skip


def test_an_event_never_repeats_a_measurement_or_a_person(ledger) -> None:
    listen(ledger)
    settle(ledger, "result", "5678", Result.CREATED, **EXECUTION)
    assert all({"measurements", "operator"}.isdisjoint(event.data) for event in ledger.outbox.events())


@pytest.mark.parametrize(
    ("kind", "result", "name"),
    [
        ("sample", Result.CREATED, "sample.created"),
        ("sample", Result.ADOPTED, "sample.created"),
        ("sample", Result.REJECTED, "record.waiting"),
        ("nc", Result.CREATED, "non_conformance.raised"),
        ("subtask", Result.CREATED, "task.created"),
        ("time_entry", Result.CREATED, "time_entry.logged"),
        ("invoice_posting", Result.CREATED, "invoice.posted"),
    ],
)
def test_what_became_of_a_record_names_the_event(ledger, kind: str, result: Result, name: str) -> None:
    listen(ledger)
    settle(ledger, kind, "K", result)
    assert names(ledger) == [name]


def test_what_is_unchanged_or_deferred_is_no_event(ledger) -> None:
    listen(ledger)
    settle(ledger, "sample", "A", Result.DEFERRED)
    settle(ledger, "sample", "B", Result.UNCHANGED)
    assert names(ledger) == []


def test_a_corrected_result_is_an_amendment(ledger) -> None:
    listen(ledger)
    settle(ledger, "result", "5678", Result.CREATED, **EXECUTION)
    settle(ledger, "result", "5678", Result.CREATED, "e" * 64, **EXECUTION)
    assert names(ledger) == ["results.uploaded", "protocol.completed", "results.amended"]


def test_what_waits_for_a_person_and_what_the_person_does_are_events(ledger) -> None:
    listen(ledger)
    ledger.quarantine("lims", "sample", [Refusal("SR-1/SN1", FINGERPRINT, "UNIT_UNKNOWN", "why")], owner="o")
    ledger.quarantine("lims", "sample", [Refusal("SR-1/SN1", FINGERPRINT, "UNIT_UNKNOWN", "why")], owner="o")
    ledger.release("lims", "sample", ["SR-1/SN1"], owner="o")
    ledger.record("approve", system="qms", kind="capa", key="PVTP-018", owner="ada")
    assert names(ledger) == ["record.waiting", "record.released", "capa.approved"]
    waiting = ledger.outbox.events()[-1]
    assert (waiting.data["code"], waiting.data["reason"]) == ("UNIT_UNKNOWN", "why")


def test_every_name_of_the_table_can_come_about_and_no_other() -> None:
    from pv_testing.contracts.kinds import KINDS

    kinds = {kind for operations in KINDS.values() for kind in operations.values()}
    made = set()
    for kind in kinds:
        for action in ("settle", "quarantine", "release", "confirm", "approve", "reject"):
            for result in (*(each.value for each in Result), ""):
                event = {
                    "action": action, "system": "s", "kind": kind, "key": "k", "result": result, "external_id": "",
                    "detail": {},
                }  # fmt: skip
                made |= {each.name for each in occurrences(event, {"sr_number": "SR-1"})}
    assert made | {"service_request.created", REPORT_GENERATED} == set(EVENTS)
    assert len(set(FACTS)) == len(FACTS)


def test_a_settlement_that_fails_leaves_no_event(ledger) -> None:
    listen(ledger)
    (claimed,) = ledger.claim("lims", "sample", [Claim("K", FINGERPRINT)], owner="o", lease=60)
    with ledger._store.exclusive() as connection:
        connection.execute(text("ALTER TABLE ledger_delivery RENAME TO gone"))
    with pytest.raises(Exception, match="ledger"):
        ledger.settle([Settlement(claimed, Result.CREATED, "LIM-1")], owner="o")
    assert ledger.outbox.events() == []
    assert ledger.external_ids("lims", "sample", ["K"]) == {}


def test_what_is_noticed_again_is_written_once(ledger) -> None:
    listen(ledger)
    report = Occurrence(REPORT_GENERATED, "SR-1", {"report_id": 999}, once="999")
    assert [ledger.outbox.publish([report, report]) for _ in range(2)] == [1, 0]


def test_each_endpoint_gets_what_it_is_registered_for(ledger) -> None:
    listen(ledger, "invoice.*", name="erp")
    listen(ledger, "sample.created", "invoice.posted", name="lab")
    settle(ledger, "sample", "K", Result.CREATED)
    settle(ledger, "invoice_posting", "K", Result.CREATED)
    assert [each.event.name for each in ledger.outbox.claim("erp", 9, 60)] == ["invoice.posted"]
    assert [each.event.name for each in ledger.outbox.claim("lab", 9, 60)] == ["sample.created", "invoice.posted"]


def test_a_claimed_delivery_is_not_claimed_again_before_its_lease_ends(ledger) -> None:
    listen(ledger)
    settle(ledger, "sample", "K", Result.CREATED)
    assert len(ledger.outbox.claim("lab", 9, 60)) == 1
    assert ledger.outbox.claim("lab", 9, 60) == []
    with ledger._store.exclusive() as connection:
        connection.execute(text("UPDATE ledger_delivery SET lease_until = 1"))
    assert len(ledger.outbox.claim("lab", 9, 60)) == 1


def test_what_failed_holds_up_its_subject_and_no_other(ledger) -> None:
    listen(ledger)
    for key, request in (("A", "SR-1"), ("B", "SR-1"), ("C", "SR-2")):
        settle(ledger, "sample", key, Result.CREATED, sr_number=request)
    first, second, third = ledger.outbox.claim("lab", 9, 60)
    later = ledger.now() + 3600
    ledger.outbox.settle(
        "lab",
        [Delivered(first, PENDING, 500, "no", later), Delivered(second, PENDING, attempted=False),
         Delivered(third, DELIVERED, 200)],
    )  # fmt: skip
    assert ledger.outbox.claim("lab", 9, 60) == []
    assert ledger.outbox.counts() == {("lab", PENDING): 2, ("lab", DELIVERED): 1}
    with ledger._store.exclusive() as connection:
        connection.execute(text("UPDATE ledger_delivery SET next_at = 1"))
    assert [(each.event.data["key"], each.attempts) for each in ledger.outbox.claim("lab", 9, 60)] == [
        ("A", 1), ("B", 0),
    ]  # fmt: skip


def test_old_events_are_forgotten_once_nothing_of_them_is_on_its_way(ledger) -> None:
    listen(ledger)
    settle(ledger, "sample", "A", Result.CREATED)
    settle(ledger, "sample", "B", Result.CREATED)
    first, _ = ledger.outbox.claim("lab", 9, 60)
    ledger.outbox.settle("lab", [Delivered(first, DEAD, 500, "no")])
    with ledger._store.exclusive() as connection:
        connection.execute(text("UPDATE ledger_outbox SET at = 1"))
    assert ledger.outbox.prune(30) == 1
    assert [event.data["key"] for event in ledger.outbox.events()] == ["B"]


def test_the_whole_ledger_still_verifies(ledger) -> None:
    listen(ledger)
    settle(ledger, "sample", "A", Result.CREATED)
    ledger.endpoints.remove("lab", "ada")
    assert ledger.verify().records == 1
    assert [event.action for event in ledger.events()] == ["webhook_register", "settle", "webhook_remove"]
