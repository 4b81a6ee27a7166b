"""What docs/reference/billing.md prints happens: its files are read; prices, reasons and codes are the real ones."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from pv_testing.billing.policy import BillingPolicy
from pv_testing.billing.prices import PriceList
from pv_testing.billing.tax import Tax
from pv_testing.core.errors import DataError
from tests.docs.pages import PROJECT, blocks, text

PAGE = PROJECT / "docs" / "reference" / "billing.md"
STEPS = {
    "crediting",
    "customers",
    "einvoices",
    "invoice_jobs",
    "invoice_state",
    "invoicing",
    "later_orders",
    "payments",
}
"""What brings invoices into the ERP; its codes are those of erp.md and reason-codes.md in docs/reference."""


@pytest.fixture
def policy(tmp_path: Path) -> BillingPolicy:
    prices, billing = blocks(PAGE, "yaml")
    (tmp_path / "prices.yaml").write_text(prices, encoding="utf-8")
    (tmp_path / "billing.yaml").write_text(billing, encoding="utf-8")
    return BillingPolicy.read(tmp_path / "billing.yaml", tmp_path / "prices.yaml")


def rows(columns: int) -> list[list[str]]:
    """Return the rows of all tables of the page with so many columns."""
    lines = re.findall(r"^\| (.*) \|$", text(PAGE), re.MULTILINE)
    return [cells for line in lines if len(cells := line.split(" | ")) == columns]


def test_the_table_of_prices_is_what_the_list_says(policy: BillingPolicy) -> None:
    listed = [row for row in rows(4) if row[0].startswith("PVTP-")]
    assert len(listed) == 7
    for protocol, customer, priority, expected in listed:
        assert priced(policy.prices, protocol, customer, priority) == expected


def priced(prices: PriceList, protocol: str, customer: str, priority: str) -> str:
    try:
        return f"{prices.price(protocol, customer, priority, date(2026, 6, 30)).unit:.2f}"
    except DataError as error:
        return f"`{error.code}`"


def test_the_rules_are_read_as_the_page_explains_them(policy: BillingPolicy) -> None:
    assert (policy.payment_days, policy.customer("Solar Power Industries").payment_days) == (30, 14)
    assert policy.customer("Solar Power Industries").erp_id == "17"
    assert policy.customer("Fjord Energy").address.country == "NO"
    assert policy.customer("Nobody").erp_id == ""


def test_the_reasons_for_no_tax_are_those_that_the_page_names() -> None:
    named = [(row[0].strip("`"), row[3]) for row in rows(4) if re.fullmatch("`[A-Z]{1,2}`", row[0])]
    assert [category for category, _ in named] == ["S", "Z", "E", "AE", "G", "O"]
    for category, words in named:
        rate = "19" if category == "S" else "0"
        reason = {"reason": "yours"} if category == "E" else {}
        assert words.startswith(Tax.model_validate({"category": category, "rate": rate, **reason}).reason or "none")


def test_the_codes_of_the_page_are_those_of_the_code() -> None:
    codes = {row[0].strip("`") for row in rows(3) if re.fullmatch("`[A-Z_]+`", row[0]) and "_" in row[0]}
    modules = (PROJECT / "plugins" / "pv_testing" / "billing").glob("*.py")
    sources = [path for path in modules if path.stem not in STEPS]
    raised = {code for source in sources for code in re.findall(r'(?:"|Reason\.)([A-Z]+_[A-Z_]+)', text(source))}
    assert codes == raised
