"""The same invoice in the words of UN/CEFACT's Cross Industry Invoice, as the profile EN 16931 allows them.

Amounts are written as the invoice has them; nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv_testing.billing.parties import Address, Customer, Seller
from pv_testing.billing.tax import OUTSIDE

if TYPE_CHECKING:
    from drafthorse.models.accounting import ApplicableTradeTax
    from drafthorse.models.document import Document
    from drafthorse.models.party import TradeParty
    from drafthorse.models.payment import PaymentMeans, PaymentTerms
    from drafthorse.models.trade import TradeAgreement, TradeSettlement
    from drafthorse.models.tradelines import LineItem as TradeLine

    from pv_testing.billing.invoice import Invoice, LineItem

PROFILE = "urn:cen.eu:en16931:2017"
INVOICE_TYPE, CREDIT_NOTE_TYPE = "380", "381"
CREDIT_TRANSFER, SEPA_TRANSFER = "30", "58"
VAT = "VAT"
PIECE = "H87"


def document(invoice: Invoice, number: str) -> Document:
    """Return an invoice, or a credit note, as the library's document.

    Args:
        invoice: what was checked.
        number: as the customer is to know it.
    """
    from drafthorse.models.document import Document
    from drafthorse.models.note import IncludedNote

    made = Document()
    made.context.guideline_parameter.id = PROFILE
    made.header.id = number
    made.header.type_code = CREDIT_NOTE_TYPE if invoice.credit else INVOICE_TYPE
    made.header.issue_date_time = invoice.invoice_date
    if invoice.notes:
        made.header.notes.add(IncludedNote(content=invoice.notes))
    for place, line in enumerate(invoice.lines, start=1):
        made.trade.items.add(_line(invoice, line, place))
    _agree(made.trade.agreement, invoice)
    made.trade.delivery.event.occurrence = invoice.delivered_on
    _settle(made.trade.settlement, invoice)
    return made


def _line(invoice: Invoice, line: LineItem, place: int) -> TradeLine:
    from drafthorse.models.tradelines import LineItem as TradeLine

    made = TradeLine()
    made.document.line_id = str(place)
    made.product.seller_assigned_id = line.protocol_id
    made.product.name = line.name or line.protocol_id
    made.agreement.net.amount = invoice.money(line.unit_price)
    made.delivery.billed_quantity = (str(line.quantity), PIECE)
    _tax(made.settlement.trade_tax, invoice)
    made.settlement.monetary_summation.total_amount = invoice.money(line.total)
    return made


def _agree(agreement: TradeAgreement, invoice: Invoice) -> None:
    """Say who sells to whom, and by which order."""
    if invoice.buyer.buyer_reference:
        agreement.buyer_reference = invoice.buyer.buyer_reference
    _party(agreement.seller, invoice.seller, invoice)
    if invoice.seller.registration:
        agreement.seller.legal_organization.id = invoice.seller.registration
    _party(agreement.buyer, invoice.buyer, invoice)
    agreement.seller_order.issuer_assigned_id = invoice.sr_number
    del agreement.seller_order.issue_date_time  # the library would write an empty one
    if invoice.po_number:
        agreement.buyer_order.issuer_assigned_id = invoice.po_number
        del agreement.buyer_order.issue_date_time


def _party(made: TradeParty, party: Seller | Customer, invoice: Invoice) -> None:
    from drafthorse.models.party import TaxRegistration

    made.name = party.name
    _address(made, party.address)
    if party.email:
        made.electronic_address.uri_ID = ("EM", party.email)
    # An invoice outside the scope of VAT names no VAT number (BR-O-02).
    if party.vat_id and invoice.tax.category != OUTSIDE:
        made.tax_registrations.add(TaxRegistration(id=("VA", party.vat_id)))


def _address(made: TradeParty, address: Address) -> None:
    for name, text in zip(("line_one", "line_two", "line_three"), address.lines, strict=False):
        setattr(made.address, name, text)
    made.address.postcode = address.postcode
    made.address.city_name = address.city
    made.address.country_id = address.country


def _settle(settlement: TradeSettlement, invoice: Invoice) -> None:
    """Say the amount to be paid, until when and where to."""
    from drafthorse.models.accounting import ApplicableTradeTax

    settlement.currency_code = invoice.currency
    for means in _means(invoice):
        settlement.payment_means.add(means)
    tax = ApplicableTradeTax()
    _tax(tax, invoice)
    tax.calculated_amount = invoice.money(invoice.tax_amount)
    tax.basis_amount = invoice.money(invoice.subtotal)
    tax.exemption_reason = invoice.tax.reason
    tax.exemption_reason_code = invoice.tax.reason_code
    settlement.trade_tax.add(tax)
    settlement.terms.add(_terms(invoice))
    summation = settlement.monetary_summation
    summation.line_total = invoice.money(invoice.subtotal)
    summation.tax_basis_total = (invoice.money(invoice.subtotal), None)
    summation.tax_total = (invoice.money(invoice.tax_amount), invoice.currency)
    summation.grand_total = (invoice.money(invoice.total), None)
    summation.due_amount = invoice.money(invoice.total)
    if invoice.credit:
        settlement.invoice_referenced_document.issuer_assigned_id = invoice.credit.number
        settlement.invoice_referenced_document.issue_date_time = invoice.credit.dated


def _tax(made: ApplicableTradeTax, invoice: Invoice) -> None:
    made.type_code = VAT
    made.category_code = invoice.tax.category
    if invoice.tax.category != OUTSIDE:
        made.rate_applicable_percent = format(invoice.tax.rate, "f")


def _means(invoice: Invoice) -> Iterator[PaymentMeans]:
    from drafthorse.models.payment import PaymentMeans

    bank = invoice.seller.bank
    if bank is None or invoice.credit:
        return
    means = PaymentMeans()
    means.type_code = SEPA_TRANSFER if invoice.currency == "EUR" else CREDIT_TRANSFER
    means.payee_account.iban = bank.iban
    means.payee_account.account_name = bank.account_name
    if bank.bic:
        means.payee_institution.bic = bank.bic
    yield means


def _terms(invoice: Invoice) -> PaymentTerms:
    from drafthorse.models.payment import PaymentTerms

    if invoice.credit:
        return PaymentTerms(description=f"Credited against invoice {invoice.credit.number}")
    return PaymentTerms(description=f"Payable within {invoice.payment_days} days", due=invoice.due_date)
