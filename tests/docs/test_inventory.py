"""What docs/reference/inventory.md prints happens: its rules are read, and its modules leave as its table says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pv_testing.core.errors import DataError
from pv_testing.domain.reading import read_execution
from pv_testing.inventory import InventoryPolicy, last_movement
from tests.docs.pages import PROJECT, blocks, text

PAGE = PROJECT / "docs" / "reference" / "inventory.md"
LEAVING = [
    cells
    for line in re.findall(r"^\| (.*) \|$", text(PAGE), re.MULTILINE)
    if len(cells := line.split(" | ")) == 3 and cells[1].startswith("PVTP-")
]


@pytest.fixture
def policy(tmp_path: Path) -> InventoryPolicy:
    (printed,) = blocks(PAGE, "yaml")
    (tmp_path / "inventory.yaml").write_text(printed, encoding="utf-8")
    return InventoryPolicy.read(tmp_path / "inventory.yaml")


def test_the_rules_are_read_as_the_page_explains_them(policy: InventoryPolicy) -> None:
    assert (policy.product, policy.closed_days) == ("PV-MODULE", 30)
    assert [(each.item, each.quantity, each.unit) for each in policy.consumables["PVTP-001"]] == [
        ("CLEANER", "0.05", "l")
    ]


def test_the_table_of_modules_has_all_its_rows() -> None:
    assert len(LEAVING) == 10


@pytest.mark.parametrize(("customer", "tested", "expected"), LEAVING)
def test_a_module_leaves_as_the_table_says(policy: InventoryPolicy, customer: str, tested: str, expected: str) -> None:
    executions = [
        read_execution({"execution_id": 1, "protocol_id": protocol, "status": "COMPLETE", "qc_status": verdict})
        for protocol, verdict in (each.split() for each in tested.split(", "))
    ]
    try:
        left = last_movement(executions, policy.leaving_of(customer)).value
    except DataError as error:
        left = f"`{error.code}`"
    assert left == expected
