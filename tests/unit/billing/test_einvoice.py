"""E-invoices are valid against the official XSD and Schematron, and a wrong sum would be caught there."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from pv_testing.billing import BillingPolicy, Invoice, credit_note_of
from pv_testing.billing.cii import document
from pv_testing.billing.einvoice import einvoice, missing, validate, write
from pv_testing.core.errors import DataError, SecurityError
from tests.unit.billing.orders import APPROVED, BERLIN, BUYER, SELLER, bill, order, rules
from tests.unit.billing.schematron import broken_rules

RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
STANDARD = {"category": "S", "rate": "19"}
BOTH = order(["PVTP-001", "PVTP-018"])


def without(mapping: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}


def texts(xml: bytes, *path: str) -> list[str | None]:
    """Return the texts of the elements at the end of a path of names."""
    return [found.text for found in etree.fromstring(xml).iterfind(".//" + "/".join(RAM + name for name in path))]


def credit_note(invoice: Invoice) -> Invoice:
    return credit_note_of(invoice, "PVTP-001", invoice_id="42", withdrawn_at=APPROVED, zone=BERLIN, number="R-0815")


NORMAL = bill(BOTH, rules(tax=STANDARD))
TRAP = bill(BOTH, rules({"PVTP-001": "33.335", "PVTP-018": "0.0035"}, tax={"category": "S", "rate": "7.7"}))
KINDS = {
    "normal": NORMAL,
    "rounding": TRAP,
    "credit_note": credit_note(NORMAL),
    "no_tax": bill(BOTH, rules()),
    "credit_note_without_tax": credit_note(bill(BOTH, rules())),
    "zero_rate": bill(BOTH, rules(tax={"category": "Z"})),
    "exempt": bill(BOTH, rules(tax={"category": "E", "reason": "Exempt under section 4"})),
    "reverse_charge": bill(BOTH, rules(tax={"category": "AE"})),
    "export": bill(BOTH, rules(tax={"category": "G"})),
    "yen": bill(BOTH, rules(currency="JPY", tax={"category": "S", "rate": "10"})),
    "bare": bill(
        order(["PVTP-001"], metadata={}),
        rules(
            buyer={"erp_id": "1", "address": {"country": "NO"}},
            seller=without(SELLER, "bank"),
            tax=STANDARD,
        ),
        executions=[],
    ),
    "referenced": bill(
        BOTH,
        rules(tax=STANDARD, buyer={**BUYER, "buyer_reference": "04011000-1234512345-06", "email": "a@solar.example"}),
    ),
}


@pytest.mark.parametrize("invoice", KINDS.values(), ids=KINDS)
def test_xsd_and_schematron_find_nothing(invoice: Invoice) -> None:
    xml = einvoice(invoice)
    validate(xml)
    assert broken_rules(xml) == []


def test_the_amounts_are_those_of_the_invoice() -> None:
    xml = einvoice(TRAP)
    assert texts(xml, "NetPriceProductTradePrice", "ChargeAmount") == ["33.335", "0.0035"]
    assert texts(xml, "SpecifiedTradeSettlementLineMonetarySummation", "LineTotalAmount") == ["100.01", "0.01"]
    assert texts(xml, "TaxBasisTotalAmount") == ["100.02"]
    assert texts(xml, "TaxTotalAmount") == ["7.70"]
    assert texts(xml, "GrandTotalAmount") == texts(xml, "DuePayableAmount") == ["107.72"]


def test_it_says_who_when_and_where_to() -> None:
    xml = einvoice(KINDS["referenced"], "R-2025-0815")
    root = etree.fromstring(xml)
    (number,) = root.findall("{*}ExchangedDocument/{*}ID")
    assert number.text == "R-2025-0815"
    assert texts(xml, "SellerTradeParty", "Name") == ["Heliotest Laboratory GmbH"]
    assert texts(xml, "BuyerTradeParty", "Name") == ["Solar Corporation"]
    assert texts(xml, "BuyerReference") == ["04011000-1234512345-06"]
    assert texts(xml, "BuyerOrderReferencedDocument", "IssuerAssignedID") == ["PO-SPI-2025-0078"]
    assert texts(xml, "SellerOrderReferencedDocument", "IssuerAssignedID") == ["SR-2025-0123"]
    assert texts(xml, "IBANID") == ["DE89370400440532013000"]
    assert [found.text for found in root.iterfind(".//{*}DateTimeString")] == ["20251113", "20251112", "20251213"]


def test_a_credit_note_is_of_type_381_and_names_its_invoice() -> None:
    xml = einvoice(KINDS["credit_note"])
    root = etree.fromstring(xml)
    assert [found.text for found in root.findall("{*}ExchangedDocument/{*}TypeCode")] == ["381"]
    assert texts(xml, "InvoiceReferencedDocument", "IssuerAssignedID") == ["R-0815"]
    assert texts(xml, "GrandTotalAmount") == ["1785.00"]
    assert texts(xml, "IBANID") == []


@pytest.mark.parametrize(
    ("kind", "category", "rate", "code", "reason"),
    [
        ("no_tax", "O", [], ["VATEX-EU-O"], ["Not subject to VAT"]),
        ("reverse_charge", "AE", ["0"], ["VATEX-EU-AE"], ["Reverse charge"]),
        ("exempt", "E", ["0"], [], ["Exempt under section 4"]),
        ("zero_rate", "Z", ["0"], [], []),
        ("normal", "S", ["19"], [], []),
    ],
)
def test_where_there_is_no_tax_it_says_why(kind: str, category: str, rate: list, code: list, reason: list) -> None:
    xml = einvoice(KINDS[kind])
    breakdown = ("ApplicableHeaderTradeSettlement", "ApplicableTradeTax")
    assert texts(xml, *breakdown, "CategoryCode") == [category]
    assert texts(xml, *breakdown, "RateApplicablePercent") == rate
    assert texts(xml, *breakdown, "ExemptionReasonCode") == code
    assert texts(xml, *breakdown, "ExemptionReason") == reason


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"subtotal": Decimal("10500.01")}, "BR-CO-10"),
        ({"total": Decimal("12495.01")}, "BR-CO-15"),
        ({"tax_amount": Decimal("1997.00")}, "BR-CO-17"),
        ({"subtotal": Decimal("10500.001")}, "BR-DEC-09"),
    ],
)
def test_the_schematron_catches_a_wrong_sum(change: dict, rule: str) -> None:
    wrong = replace(NORMAL, **change)
    assert rule in broken_rules(document(wrong, "1").serialize(schema=None))
    with pytest.raises(DataError) as caught:
        einvoice(wrong)
    assert caught.value.code == "SUM_WRONG"


@settings(deadline=None, max_examples=25)
@given(
    prices=st.lists(st.decimals(min_value="0.01", max_value="99999.9999", places=4), min_size=1, max_size=12),
    quantity=st.integers(min_value=1, max_value=500),
    rate=st.sampled_from(["5.5", "7.7", "19", "25"]),
)
def test_the_schematron_agrees_with_every_sum(prices: list[Decimal], quantity: int, rate: str) -> None:
    listed = {f"PVTP-{number:03d}": format(price, "f") for number, price in enumerate(prices, start=1)}
    policy = rules(listed, tax={"category": "S", "rate": rate})
    assert broken_rules(einvoice(bill(order(listed, quantity), policy, executions=[]))) == []


@pytest.mark.parametrize(
    ("policy", "lacks"),
    [
        (rules(tax=STANDARD, seller={"name": "Lab"}), ["seller.address", "seller.vat_id"]),
        (rules(tax=STANDARD, buyer={"erp_id": "1"}), ["customers.Solar Corporation.address"]),
        (
            rules(tax={"category": "AE"}, buyer=without(BUYER, "vat_id")),
            ["customers.Solar Corporation.vat_id"],
        ),
        (rules(seller=without(SELLER, "registration")), ["seller.registration"]),
    ],
)
def test_what_is_missing_is_named_by_its_key(policy: BillingPolicy, lacks: list[str]) -> None:
    invoice = bill(order(), policy)
    assert missing(invoice) == [f"billing.yaml lacks {key}" for key in lacks]
    with pytest.raises(DataError, match=lacks[0]) as caught:
        einvoice(invoice)
    assert (caught.value.code, caught.value.key) == ("EINVOICE_REFUSED", "SR-2025-0123")


def test_dinars_of_three_decimals_have_no_e_invoice() -> None:
    with pytest.raises(DataError, match="three decimals, as KWD"):
        einvoice(bill(order(), rules(currency="KWD")))


def test_a_character_that_xml_cannot_have_is_refused() -> None:
    with pytest.raises(DataError, match="character") as caught:
        einvoice(replace(NORMAL, notes="bell \x07"))
    assert caught.value.code == "EINVOICE_REFUSED"


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (b"<a>", "isn't XML"),
        (b"", "isn't XML"),
        (b"<a/>", "line 1: .*'a'"),
        (einvoice(NORMAL).replace(b"<ram:TypeCode>380</ram:TypeCode>", b""), "Expected is .*TypeCode"),
        (einvoice(NORMAL).replace(b"12495.00", b"much"), "'much'"),
    ],
)
def test_what_the_xsd_does_not_allow_is_refused_with_its_line(xml: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        validate(xml)
    assert caught.value.code == "EINVOICE_REFUSED"


@pytest.mark.parametrize(
    "xml",
    [b"<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/hostname'>]><a>&e;</a>", b" " * (5 * 1024 * 1024 + 1)],
    ids=["document_type", "too_large"],
)
def test_what_is_not_safe_to_read_is_refused(xml: bytes) -> None:
    with pytest.raises(SecurityError):
        validate(xml)


def test_the_file_is_named_by_the_service_request(tmp_path: Path) -> None:
    folder = tmp_path / "invoices" / "2025"
    assert write(NORMAL, folder) == folder / "SR-2025-0123.xml"
    assert write(credit_note(NORMAL), folder, "R-9") == folder / "SR-2025-0123-PVTP-001.xml"
    before = (folder / "SR-2025-0123.xml").read_bytes()
    assert before == einvoice(NORMAL)
    write(NORMAL, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["SR-2025-0123-PVTP-001.xml", "SR-2025-0123.xml"]
    assert (folder / "SR-2025-0123.xml").read_bytes() == before


def test_others_may_read_the_file_as_far_as_the_umask_lets_them(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    assert write(NORMAL, tmp_path).stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("number", ["../../etc/passwd", "SR/1", "SR 1", "..", "Ünïcode", "x" * 300])
def test_no_number_leads_out_of_the_folder(tmp_path: Path, number: str) -> None:
    folder = tmp_path / "here"
    written = {write(replace(NORMAL, sr_number=each), folder) for each in (number, f"{number}?")}
    assert {path.parent for path in written} == {folder}
    assert len(written) == len(list(folder.iterdir())) == 2
    assert all(path.name.isascii() and not path.name.startswith(".") for path in written)


def test_nothing_is_left_of_a_file_that_was_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        write(bill(order(), rules(seller={"name": "Lab"})), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_customer_of_the_shipped_rules_can_have_an_e_invoice() -> None:
    config = Path(__file__).parents[3] / "config"
    policy: Any = BillingPolicy.read(config / "billing.yaml", config / "prices.yaml")
    assert policy.customers
    for name in policy.customers:
        invoice = bill(order(["PVTP-001", "PVTP-044"], customer={"name": name}), policy, customer_id="1")
        assert broken_rules(einvoice(invoice)) == []
