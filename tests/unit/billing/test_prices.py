"""The price list gives one answer or a reason, and never 0."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from pv_testing.billing.prices import PriceList
from pv_testing.core.errors import ConfigError, DataError

DAY = date(2026, 6, 30)
FILE = """\
currency: EUR
prices:
  PVTP-001: [{price: "500.00"}]
"""


def listed(*entries: dict, surcharges: tuple = ()) -> PriceList:
    return PriceList.of({"currency": "EUR", "prices": {"PVTP-001": list(entries)}, "surcharges": list(surcharges)})


def unit(prices: PriceList, customer: str = "Fjord Energy", priority: str = "normal", on: date = DAY) -> str:
    return str(prices.price("PVTP-001", customer, priority, on).unit)


ALL = {"price": "500.00"}
FJORD = {"price": "450.00", "customer": "Fjord Energy"}
URGENT = {"price": "700.00", "priority": "urgent"}
BOTH = {"price": "650.00", "customer": "Fjord Energy", "priority": "urgent"}


@pytest.mark.parametrize(
    ("customer", "priority", "expected"),
    [
        ("Sahara", "normal", "500.00"),
        ("Sahara", "urgent", "700.00"),
        ("Fjord Energy", "normal", "450.00"),
        ("Fjord Energy", "urgent", "650.00"),
        ("Fjord Energy", "URGENT ", "650.00"),
        ("fjord energy", "normal", "500.00"),
        ("", "", "500.00"),
    ],
)
def test_the_most_special_price_wins(customer: str, priority: str, expected: str) -> None:
    for entries in ((ALL, FJORD, URGENT, BOTH), (BOTH, URGENT, FJORD, ALL)):
        assert unit(listed(*entries), customer, priority) == expected


def test_a_customers_own_price_comes_before_one_for_the_priority() -> None:
    assert unit(listed(ALL, FJORD, URGENT), priority="urgent") == "450.00"


def test_prices_hold_from_their_first_to_their_last_day() -> None:
    prices = listed({"price": "1.00", "valid_to": "2026-06-30"}, {"price": "2.00", "valid_from": "2026-07-01"})
    assert unit(prices) == "1.00"
    assert unit(prices, on=date(2026, 7, 1)) == "2.00"


@pytest.mark.parametrize(
    ("entries", "code", "message"),
    [
        (({"price": "1.00", "valid_from": "2026-07-01"},), "PRICE_MISSING", "PVTP-001 for Fjord Energy"),
        ((URGENT,), "PRICE_MISSING", "2026-06-30"),
        ((ALL, ALL), "PRICE_AMBIGUOUS", r"prices.PVTP-001\[0\], prices.PVTP-001\[1\]"),
        (({**ALL, "valid_from": "2026-06-01"}, {**ALL, "valid_to": "2026-06-30"}), "PRICE_AMBIGUOUS", "end one"),
    ],
)
def test_no_price_and_two_prices_are_reasons_to_wait(entries: tuple, code: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        unit(listed(*entries))
    assert caught.value.code == code


def test_a_protocol_that_the_list_does_not_know_has_no_price() -> None:
    with pytest.raises(DataError, match="PVTP-099") as caught:
        listed(ALL).price("PVTP-099", "", "", DAY)
    assert caught.value.code == "PRICE_MISSING"


def test_a_surcharge_is_added_unless_the_price_names_the_priority() -> None:
    surcharges = (
        {"priority": "urgent", "percent": "25"},
        {"priority": "urgent", "percent": "10.5", "customer": "Fjord Energy"},
        {"priority": "low", "percent": "-5"},
    )
    plain = listed(ALL, surcharges=surcharges)
    assert Decimal(unit(plain, "Sahara", "urgent")) == Decimal("625.00")
    assert Decimal(unit(plain, "Fjord Energy", "urgent")) == Decimal("552.50")
    assert Decimal(unit(plain, "Sahara", "low")) == Decimal("475.00")
    assert unit(plain, "Sahara", "normal") == "500.00"
    assert unit(listed(ALL, URGENT, surcharges=surcharges), "Sahara", "urgent") == "700.00"


def test_two_surcharges_at_once_are_a_reason_to_wait() -> None:
    twice = {"priority": "urgent", "percent": "25"}
    with pytest.raises(DataError, match=r"surcharges\[0\], surcharges\[1\]") as caught:
        unit(listed(ALL, surcharges=(twice, twice)), priority="urgent")
    assert caught.value.code == "PRICE_AMBIGUOUS"


def test_a_surcharged_price_has_four_decimals_at_most_half_up() -> None:
    surcharge = {"priority": "urgent", "percent": "25"}
    assert unit(listed({"price": "33.3334"}, surcharges=(surcharge,)), priority="urgent") == "41.6668"


def test_a_price_may_be_for_several_modules() -> None:
    assert Decimal(unit(listed({"price": "1000.00", "per": 8}))) == Decimal("125.00")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"price": "100.00", "per": 3}, r"prices.PVTP-001\[0\].per: .*more than 4 decimals"),
        ({"price": "1", "currency": "ABC"}, r"prices.PVTP-001\[0\].currency: .*ABC"),
        ({"price": "1", "currency": "XAU"}, "XAU has no smallest unit"),
        ({"price": "1", "valid_from": "2026-02-30"}, r"valid_from: there is no day 2026-02-30"),
        ({"price": "1", "valid_from": "2026-02-02", "valid_to": "2026-02-01"}, "never holds"),
    ],
)
def test_what_no_schema_sees_is_refused_with_its_place(entry: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        listed(entry)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('price: "500.00"', "price: 500.00", r"prices.yaml:3: prices.PVTP-001\[0\].price: must be text"),
        ('"500.00"', '"0.00"', "an amount above zero|a quoted amount above zero"),
        ('"500.00"', '"-1"', "above zero"),
        ('"500.00"', '"0.00001"', "at most four decimals"),
        ('"500.00"', '"5e2"', "above zero"),
        ("currency: EUR", "currency: eur", "ISO 4217"),
        ("currency: EUR\n", "", "misses currency"),
        ('price: "500.00"', 'price: "1", valid_from: 2026-01-01', "some readers take it for a date"),
        ('price: "500.00"', 'prise: "1"', "did you mean 'price'"),
    ],
)
def test_a_wrong_price_list_is_refused_with_file_line_and_key(
    tmp_path: Path, before: str, after: str, message: str
) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(FILE)
    assert unit(PriceList.read(path)) == "500.00"
    path.write_text(FILE.replace(before, after))
    with pytest.raises(ConfigError, match=message):
        PriceList.read(path)


def test_the_shipped_list_prices_every_protocol_of_the_example_laboratory() -> None:
    from sandbox import catalogue

    prices = PriceList.read(Path(__file__).parents[3] / "config" / "prices.yaml")
    for protocol in catalogue.choose(12):
        assert prices.price(protocol.protocol_id, "anyone", "normal", DAY).unit > 0
