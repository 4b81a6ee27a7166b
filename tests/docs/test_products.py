"""The table of docs/products/README.md says what the contracts say."""

from __future__ import annotations

from pathlib import Path

import pytest

from pv_testing.contracts import load_contract
from pv_testing.contracts.model import Contract
from pv_testing.contracts.proof import WORDS
from pv_testing.core.places import contract_names
from tests.docs.pages import PROJECT, text

FOLDER = PROJECT / "docs" / "products"
SHIPPED = [name for name in contract_names() if name not in ("field_mappings", "framework")]


def way(contract: Contract) -> str:
    """Return how the contract's product is spoken to."""
    if contract.soap is not None:
        return "SOAP"
    if contract.database is not None:
        return "SQL"
    by_files = [spec.files or spec.list_file for spec in contract.operations.values()]
    return "files" if all(by_files) else "REST"


def cells(contract: Contract) -> list[str]:
    """Return the cells of the contract's row that the contract itself knows."""
    assert contract.proof is not None
    by = ", ".join(str(list(WORDS).index(each) + 1) for each in contract.proof.by)
    return [contract.system, f"`{contract.name}`", way(contract), by, contract.proof.version, contract.proof.date]


def rows() -> dict[str, list[str]]:
    """Return the cells of each row by the contract that it names."""
    lines = [line for line in text(FOLDER / "README.md").splitlines() if line.startswith("| ") and "`" in line]
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[2].strip("`"): row for row in split}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_table_has_a_row_for_each_contract(name: str) -> None:
    row = rows()[name]
    assert row[1:7] == cells(load_contract(name))


def test_the_table_has_no_other_rows() -> None:
    assert set(rows()) == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_each_row_leads_to_a_page(name: str) -> None:
    product = rows()[name][0]
    link = product.partition("](")[2].rstrip(")")
    assert (Path(FOLDER) / link).is_file()
