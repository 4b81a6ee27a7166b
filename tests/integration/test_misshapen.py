"""Shows that a record of a shape that nobody documents waits under its name and stops no other."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

import sandbox
from pv_testing.ledger import Ledger
from tests.integration.billing import CUSTOMER, SR, Office, outcome, policy


@pytest.fixture
def office(tmp_path):
    """A laboratory whose reports of two tested modules are approved, and its office."""
    plan = sandbox.SeedPlan(state="complete", modules=2, protocols=1)
    with (
        sandbox.serve(tmp_path / "lab", seed_plan=plan) as lab,
        Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger,
        closing(Office(lab, ledger, policy())) as found,
    ):
        lab.know_customer(CUSTOMER)
        found.approve()
        yield found


def in_framework(trip, sql: str) -> None:
    with closing(sqlite3.connect(trip.lab.settings.database("framework"))) as connection, connection:
        connection.execute(sql)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ("customer = '\"Solar Corp\"'", "NOT_AN_OBJECT"),
        ("module = '\"AST\"'", "NOT_AN_OBJECT"),
        ("module = json_set(module, '$.serial_numbers', 'A1, A2')", "NOT_A_LIST"),
        ("testing = json_set(testing, '$.protocols', 'PVTP-001')", "NOT_A_LIST"),
    ],
)
def test_a_request_of_an_unknown_shape_waits_alone(laboratory, changed, code):
    trip = laboratory(state="new", requests=2, modules=2, protocols=1)
    in_framework(trip, f"UPDATE service_requests SET {changed} WHERE id = 1")
    report = trip.intake()
    assert {key.partition("/")[0] for key in report.external_ids()} == {"SR-2025-0002"}
    (waits,) = report.not_in_effect()
    assert (waits.key, waits.result.value, waits.code) == ("service request 1", "quarantined", code)
    assert SR in waits.reason


def test_an_announced_number_of_modules_in_words_is_named_and_its_samples_go_on(laboratory):
    trip = laboratory(requests=2, modules=2, protocols=1)
    in_framework(trip, "UPDATE service_requests SET module = json_set(module, '$.quantity', '12 pcs') WHERE id = 1")
    report = trip.intake()
    assert (report.counts()["created"], report.not_in_effect()) == (4, [])
    assert [SR in note and "'12 pcs'" in note for note in report.notes] == [True]


@pytest.mark.parametrize("quantity", ["'12 pcs'", "12.5", "'1,200'"])
def test_no_invoice_guesses_how_many_modules_were_announced(office, quantity):
    office.in_framework(f"UPDATE service_requests SET module = json_set(module, '$.quantity', {quantity})")
    waits = outcome(office.bill(), "create_invoice")
    assert (waits.result.value, waits.code) == ("quarantined", "QUANTITY_UNKNOWN")
    assert office.invoices() == []
    office.in_framework("UPDATE service_requests SET module = json_set(module, '$.quantity', '2.00')")
    assert outcome(office.bill(), "create_invoice").result.value == "created"
    ((invoice,), ((line,),)) = (office.invoices(), [each["line_items"] for each in office.invoices()])
    assert (invoice["status"], line["quantity"]) == ("POSTED", "2")


def test_a_draft_is_not_posted_once_the_number_of_its_modules_is_unknown(office):
    office.in_framework("UPDATE service_requests SET module = json_set(module, '$.quantity', 3)")
    assert outcome(office.bill(), "post_invoice").code == "QUANTITY_MISMATCH"
    office.in_framework("UPDATE service_requests SET module = json_set(module, '$.quantity', '2 pcs')")
    assert outcome(office.bill(replay=True), "create_invoice").code == "QUANTITY_UNKNOWN"
    assert [each["status"] for each in office.invoices()] == ["DRAFT"]
