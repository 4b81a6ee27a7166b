"""What changes of a posted invoice: once a person had a part in it nothing is given back by itself any more."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from pv_testing.ledger import Claim, Ledger, Refusal
from tests.integration.billing import SR, Office, outcome


def withdraw(at: Office, protocol: str, moment: str) -> None:
    at.in_framework(f"INSERT INTO withdrawals VALUES (1, '{protocol}', '{moment}')")
    at.in_framework(f"UPDATE service_requests SET updated_at = '{moment}'")


def take_back(at: Office, moment: str) -> None:
    at.in_framework("DELETE FROM withdrawals")
    at.in_framework(f"UPDATE service_requests SET updated_at = '{moment}'")


def waits(at: Office) -> dict[str, str]:
    """Run the step; return what waits in the ledger, which is also what makes the task red."""
    reports = at.credit()
    red = {each.key: each.code for report in reports for each in report.not_in_effect()}
    assert {entry.key: entry.code for entry in at.ledger.waiting()} == red
    assert at.due("erp/credits") == ([1] if red else [])
    return red


def settle(at: Office, key: str, made: str) -> None:
    at.ledger.confirm("erp", "invoice", key, made, owner="ada")
    assert waits(at) == {}


def earlier(at: Office) -> str:
    """Let an added test wait as an earlier version has let it wait; return its key."""
    key = f"{SR}/PVTP-003"
    refusal = Refusal(key, "earlier", "ADDED_AFTER_INVOICE", "PVTP-003 was added after the invoice; settle it")
    at.ledger.quarantine("erp", "invoice", [refusal], owner="earlier")
    return key


def test_no_more_is_given_back_than_was_billed(office):
    at = office(modules=4, protocols=3)
    at.bill()
    at.announce(3, "2027-01-01T00:00:00Z")
    by_test = {f"{SR}/PVTP-00{number}/3": "QUANTITY_CHANGED" for number in (1, 2, 3)}
    assert waits(at) == by_test
    (invoice,) = at.invoices()
    line = next(line for line in invoice["line_items"] if line["protocol_id"] == "PVTP-002")
    fields = {"external_id": "by hand", "invoice_date": "2027-01-02", "reason": "one module less", "currency": "EUR"}
    lines = [{**line, "quantity": "1", "total": "700.00"}]
    at.by_hand("POST", "credit-notes", {**fields, "invoice_id": invoice["id"], "line_items": lines})
    for key in by_test:
        at.ledger.confirm("erp", "invoice", key, "CRN-000001", owner="ada")
    assert waits(at) == {}
    at.lab.withdraw(1, "PVTP-002")
    key = f"{SR}/PVTP-002/withdrawn/2"
    assert waits(at) == {key: "CREDIT_BY_HAND"}
    assert "PVTP-002 was withdrawn; 3 modules of it were settled last" in at.ledger.waiting()[0].reason
    assert [note["id"] for note in at.documents("credit_notes")] == ["CRN-000001"]
    settle(at, key, "CRN-000002")


def test_a_test_of_which_a_change_still_waits_is_not_given_back_by_itself(office):
    at = office(modules=4, protocols=2)
    at.bill()
    at.announce(3, "2027-01-01T00:00:00Z")
    at.credit()
    at.lab.withdraw(1, "PVTP-002")
    assert waits(at) == {f"{SR}/PVTP-001/3": "QUANTITY_CHANGED", f"{SR}/PVTP-002/withdrawn": "CREDIT_BY_HAND"}
    assert at.documents("credit_notes") == []


def test_what_a_person_has_billed_and_is_withdrawn_waits(office):
    at = office(modules=2, protocols=1)
    at.bill()
    at.framework.update_service_request(1, testing={"protocols": ["PVTP-001", "PVTP-003"]})
    assert waits(at) == {f"{SR}/PVTP-003/2": "ADDED_AFTER_INVOICE"}
    settle(at, f"{SR}/PVTP-003/2", "INV-000007")
    at.framework.update_service_request(1, testing={"protocols": ["PVTP-001"]})
    assert waits(at) == {f"{SR}/PVTP-003/withdrawn/2": "CREDIT_BY_HAND"}
    settle(at, f"{SR}/PVTP-003/withdrawn/2", "CRN-000007")
    at.framework.update_service_request(1, testing={"protocols": ["PVTP-001", "PVTP-003"]})
    assert waits(at) == {f"{SR}/PVTP-003/2/3": "ADDED_AFTER_INVOICE"}


def test_a_number_that_is_what_was_billed_once_more_waits_after_another_was_settled(office):
    at = office(modules=4, protocols=1)
    at.bill()
    at.announce(3, "2027-01-01T00:00:00Z")
    at.credit()
    settle(at, f"{SR}/PVTP-001/3", "CRN-000007")
    at.announce(4, "2027-01-02T00:00:00Z")
    assert waits(at) == {f"{SR}/PVTP-001/4/2": "QUANTITY_CHANGED"}
    assert "3 modules were settled last, 4 are ordered now" in at.ledger.waiting()[0].reason
    settle(at, f"{SR}/PVTP-001/4/2", "INV-000007")
    at.announce(3, "2027-01-03T00:00:00Z")
    assert waits(at) == {f"{SR}/PVTP-001/3/3": "QUANTITY_CHANGED"}


def test_another_number_of_a_test_that_a_person_has_billed_waits(office):
    at = office(modules=2, protocols=1)
    at.bill()
    at.framework.update_service_request(1, testing={"protocols": ["PVTP-001", "PVTP-003"]})
    at.credit()
    settle(at, f"{SR}/PVTP-003/2", "INV-000007")
    at.announce(5, "2027-01-01T00:00:00Z")
    assert waits(at) == {f"{SR}/PVTP-001/5": "QUANTITY_CHANGED", f"{SR}/PVTP-003/5/2": "QUANTITY_CHANGED"}


def test_a_test_that_is_back_was_billed_by_hand_and_is_withdrawn_again_waits(office):
    at = office(modules=2, protocols=2)
    at.bill()
    withdraw(at, "PVTP-002", "2027-01-01T00:00:00Z")
    assert waits(at) == {}
    take_back(at, "2027-01-02T00:00:00Z")
    assert waits(at) == {f"{SR}/PVTP-002/2": "ADDED_AFTER_INVOICE"}
    withdraw(at, "PVTP-002", "2027-01-03T00:00:00Z")
    assert waits(at) == {}
    take_back(at, "2027-01-04T00:00:00Z")
    assert waits(at) == {f"{SR}/PVTP-002/2": "ADDED_AFTER_INVOICE"}
    settle(at, f"{SR}/PVTP-002/2", "INV-000007")
    withdraw(at, "PVTP-002", "2027-02-01T00:00:00Z")
    assert waits(at) == {f"{SR}/PVTP-002/withdrawn/2": "CREDIT_BY_HAND"}
    settle(at, f"{SR}/PVTP-002/withdrawn/2", "CRN-000007")
    assert [note["id"] for note in at.documents("credit_notes")] == ["CRN-000001"]


def test_what_changes_before_it_was_settled_waits_once_and_what_is_as_billed_not_at_all(office):
    at = office(modules=4, protocols=1)
    at.bill()
    for modules, waiting in [(3, {f"{SR}/PVTP-001/3"}), (5, {f"{SR}/PVTP-001/5"}), (4, set())]:
        at.announce(modules, f"2027-01-0{modules}T00:00:00Z")
        assert set(waits(at)) == waiting


def test_a_dry_run_leaves_what_waits_as_it_is(office):
    at = office(modules=4, protocols=1)
    at.bill()
    at.announce(3, "2027-01-01T00:00:00Z")
    at.credit()
    at.announce(5, "2027-01-02T00:00:00Z")
    planned = outcome(at.credit(dry_run=True), "create_invoice", f"{SR}/PVTP-001/5")
    assert planned.code == "QUANTITY_CHANGED"
    assert [entry.key for entry in at.ledger.waiting()] == [f"{SR}/PVTP-001/3"]


def test_a_credit_note_that_was_refused_waits_no_more_once_its_test_is_back(office):
    at = office(modules=2, protocols=2)
    at.bill()
    at.lab.withdraw(1, "PVTP-002")
    at.lab.faults("erp", {"route": "POST /api/credit-notes", "kind": "error", "status": 422, "times": 1})
    assert waits(at) == {f"{SR}/PVTP-002": "SERVER_ERROR"}
    take_back(at, "2027-01-01T00:00:00Z")
    assert waits(at) == {}
    withdraw(at, "PVTP-002", "2027-01-02T00:00:00Z")
    assert waits(at) == {}
    assert [note["id"] for note in at.documents("credit_notes")] == ["CRN-000001"]


def test_a_credit_note_that_may_have_been_made_waits_although_its_test_is_back(office):
    at = office(modules=2, protocols=2)
    at.bill()
    key = f"{SR}/PVTP-002"
    at.ledger.claim("erp", "credit_note", [Claim(key, "sent")], owner="killed", lease=-1.0)
    doubt = outcome(at.credit(), "create_credit_note", key)
    assert (doubt.result.value, doubt.code) == ("quarantined", "IN_DOUBT")
    assert at.due("erp/credits") == [1]
    at.ledger.confirm("erp", "credit_note", key, "CRN-000001", owner="ada")
    assert waits(at) == {f"{SR}/PVTP-002/2": "ADDED_AFTER_INVOICE"}


def test_the_event_loop_never_waits_for_the_ledger(office, monkeypatch):
    at = office(modules=2, protocols=2)
    at.bill()
    at.lab.withdraw(1, "PVTP-002")
    called, blocking = set(), set()

    def watch(name):
        call = getattr(Ledger, name)

        def watched(*args, **kwargs):
            called.add(name)
            with suppress(RuntimeError):
                asyncio.get_running_loop()
                blocking.add(name)
            return call(*args, **kwargs)

        monkeypatch.setattr(Ledger, name, watched)

    names = {"entries", "states", "in_doubt", "release", "state", "update"}
    for name in names:
        watch(name)
    at.credit()
    assert (called, blocking) == (names, set())


def test_a_credit_note_that_was_not_made_is_not_missed_once_a_person_has_said_so(office):
    at = office(modules=2, protocols=2)
    at.bill()
    key = f"{SR}/PVTP-002"
    at.ledger.claim("erp", "credit_note", [Claim(key, "sent")], owner="killed", lease=-1.0)
    at.credit()
    at.ledger.release("erp", "credit_note", [key], owner="ada", absent=True)
    assert waits(at) == {}


def test_a_number_that_nobody_knows_is_compared_with_none(office):
    at = office(modules=2, protocols=1)
    at.bill()
    at.framework.update_service_request(1, testing={"protocols": ["PVTP-001", "PVTP-003"]})
    changed = "module = json_set(module, '$.quantity', 'a few'), updated_at = '2027-01-01T00:00:00Z'"
    at.in_framework(f"UPDATE service_requests SET {changed}")
    assert waits(at) == {f"{SR}/PVTP-003/ordered": "ADDED_AFTER_INVOICE"}
    at.announce(5, "2027-01-02T00:00:00Z")
    assert waits(at) == {f"{SR}/PVTP-001/5": "QUANTITY_CHANGED", f"{SR}/PVTP-003/5": "ADDED_AFTER_INVOICE"}


def test_what_was_settled_in_an_earlier_version_stays_settled(office):
    at = office(modules=2, protocols=1)
    at.bill()
    at.framework.update_service_request(1, testing={"protocols": ["PVTP-001", "PVTP-003"]})
    settle(at, earlier(at), "INV-000007")
    at.framework.update_service_request(1, testing={"protocols": ["PVTP-001"]})
    assert waits(at) == {f"{SR}/PVTP-003/withdrawn/2": "CREDIT_BY_HAND"}


@pytest.mark.parametrize(("listed", "waiting"), [(["PVTP-003"], {f"{SR}/PVTP-003/2": "ADDED_AFTER_INVOICE"}), ([], {})])
def test_what_waits_since_an_earlier_version_makes_room_for_what_is_so_now(office, listed, waiting):
    at = office(modules=2, protocols=1)
    at.bill()
    at.framework.update_service_request(1, testing={"protocols": ["PVTP-001", *listed]})
    earlier(at)
    assert waits(at) == waiting
