"""Shows that rules of inventory are read as they are written, and that wrong ones are refused with their place."""

from __future__ import annotations

import pytest

from pv_testing.core.errors import ConfigError
from pv_testing.inventory import InventoryPolicy
from tests.unit.inventory.laboratory import STATES


def read(tmp_path, text):
    path = tmp_path / "inventory.yaml"
    path.write_text(text, encoding="utf-8")
    return InventoryPolicy.read(path)


def test_the_shipped_rules_are_in_order():
    policy = InventoryPolicy.read()
    assert policy.states == STATES
    assert policy.leaving_of("Fjord Energy").modules == "returned"
    assert [each.quantity for each in policy.consumables["PVTP-001"]] == ["0.05"]


def test_an_empty_file_moves_and_draws_nothing(tmp_path):
    policy = read(tmp_path, "product: PV-MODULE\n")
    assert (policy.states, policy.consumables, policy.closed_days) == ({}, {}, 30)


def test_a_customer_has_the_usual_rules_but_for_its_own(tmp_path):
    policy = read(
        tmp_path,
        "leaving: {destroyed_by: [PVTP-016], scrapped_if_failed: [PVTP-032]}\n"
        "customers: {Fjord Energy: {destroyed_by: []}, Helios Module Works: {modules: scrapped}}\n",
    )
    fjord, helios = policy.leaving_of("Fjord Energy"), policy.leaving_of("Helios Module Works")
    assert (fjord.destroyed_by, fjord.scrapped_if_failed) == (frozenset(), {"PVTP-032"})
    assert (helios.modules, helios.destroyed_by) == ("scrapped", {"PVTP-016"})
    assert policy.leaving_of("Nobody") == policy.leaving


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("states: {received: CLOSED, stored: TESTING_COMPLETE, leaving: CLOSED}", "states: .*framework's order"),
        ("states: {received: INSPECTED, stored: CLOSED, leaving: CLOSED}", "states.received: .*INSPECTION_COMPLETE"),
        ("states: {received: CLOSED}", "states: misses stored, leaving"),
        ("consumables: {PVTP-001: {CLEANER: {quantity: 0.05, unit: l}}}", "quantity: must be text"),
        ('consumables: {PVTP-001: {CLEANER: {quantity: "0.0", unit: l}}}', "quantity: .*above zero"),
        ("leaving: {modules: kept}", "modules: .*unknown"),
    ],
)
def test_wrong_rules_are_refused_with_their_place(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, text + "\n")
