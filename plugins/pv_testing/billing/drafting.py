"""Draws up the invoice of a service request from what was ordered, what was done and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, tzinfo
from typing import Any

from pv_testing.billing.invoice import Hold, Invoice, LineItem, totals
from pv_testing.billing.parties import Customer
from pv_testing.billing.policy import TESTED, BillingPolicy
from pv_testing.billing.prices import Price, one_currency
from pv_testing.billing.quantities import Work, work_of
from pv_testing.core.errors import DataError
from pv_testing.core.reasons import Reason
from pv_testing.domain.money import rounded
from pv_testing.domain.reading import text
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.samples import quantity_unknown
from pv_testing.domain.withdrawals import withdrawn_protocols

_PRICE_CODES = (Reason.PRICE_MISSING, Reason.PRICE_AMBIGUOUS)


def invoice_of(
    request: ServiceRequest,
    executions: Iterable[Execution],
    protocols: Mapping[str, Mapping[str, Any]],
    policy: BillingPolicy,
    approved_at: datetime,
    zone: tzinfo,
    *,
    customer_id: str = "",
    withdrawn: Iterable[str] | None = None,
) -> Invoice:
    """Return the invoice of a service request.

    Args:
        request: whose protocols are billed.
        executions: all of the request, in any order and state.
        protocols: the framework's descriptions by identifier, for their names.
        policy: how the laboratory bills.
        approved_at: when the reports were approved; its day in the laboratory is the invoice's date.
        zone: the laboratory's time zone.
        customer_id: the customer's id in the ERP, where it was looked up or created there; the policy's otherwise.
        withdrawn: protocols that aren't billed; by default those that the request lists as withdrawn. Empty, to
            compute once more what was billed before a protocol was withdrawn.

    Raises:
        DataError: there is nothing to bill, the number of modules ordered is unknown, the customer isn't known, or a
            price is missing, ambiguous or in another currency; the code says which.
        ValueError: ``approved_at`` has no time zone.
    """
    if approved_at.tzinfo is None:
        raise ValueError("approved_at needs a time zone")
    day = approved_at.astimezone(zone).date()
    buyer = policy.customer(text(request.customer.get("name")))
    tax = buyer.tax or policy.tax
    try:
        work = work_of(executions, policy.billed, zone)
        ordered = _ordered(request, withdrawn)
        quantities = _quantities(ordered, work, policy.quantity)
        prices = _prices(quantities, policy, request, buyer, day)
        currency = one_currency(prices.values())
        customer_id = customer_id or buyer.erp_id or _unknown(buyer)
    except DataError as error:
        raise error.about(system="erp", key=request.sr_number) from None
    lines: list[LineItem] = []
    for protocol, count in quantities.items():
        unit = prices[protocol].unit
        lines.append(LineItem(protocol, _name(protocols, protocol), count, unit, rounded(count * unit, currency)))
    subtotal, tax_amount, total = totals(lines, tax, currency)
    return Invoice(
        sr_number=request.sr_number,
        customer_id=customer_id,
        buyer=buyer,
        seller=policy.seller,
        invoice_date=day,
        payment_days=policy.payment_days if buyer.payment_days is None else buyer.payment_days,
        currency=currency,
        lines=tuple(lines),
        subtotal=subtotal,
        tax=tax,
        tax_amount=tax_amount,
        total=total,
        po_number=request.purchase_order,
        notes="\n".join([_headline(request), *work.notes()]),
        delivered_on=work.done_on or day,
        holds=tuple(_mismatches(ordered, work, quantities)),
    ).check()


def _ordered(request: ServiceRequest, withdrawn: Iterable[str] | None) -> dict[str, int]:
    """Return how many modules are to be tested in each protocol that hasn't been withdrawn."""
    gone = withdrawn_protocols(request) if withdrawn is None else frozenset(withdrawn)
    wanted = [protocol for protocol in request.protocols if protocol not in gone]
    if wanted and request.quantity is None:
        raise quantity_unknown(request)
    return dict.fromkeys(wanted, request.quantity or 0)


def _quantities(ordered: Mapping[str, int], work: Work, mode: str) -> dict[str, int]:
    """Return how many modules are billed in each protocol."""
    billed: dict[str, int] = {}
    for protocol, count in ordered.items():
        number = work.tested(protocol) if mode == TESTED else count
        if number > 0:
            billed[protocol] = number
    if not billed:
        why = f"no module was {'tested' if mode == TESTED else 'announced'} in any of {len(ordered)} protocols"
        raise DataError(f"there is nothing to bill: {why}", code=Reason.NOTHING_TO_BILL)
    return billed


def _prices(
    quantities: Iterable[str], policy: BillingPolicy, request: ServiceRequest, buyer: Customer, day: date
) -> dict[str, Price]:
    """Return the price of each protocol, or say of every one at once why there is none."""
    prices, problems = {}, []
    for protocol in quantities:
        try:
            prices[protocol] = policy.prices.price(protocol, buyer.name, request.priority, day)
        except DataError as error:
            problems.append(error)
    if problems:
        code = min((error.code for error in problems), key=_PRICE_CODES.index)
        raise DataError("; ".join(error.message for error in problems), code=code)
    return prices


def _unknown(buyer: Customer) -> str:
    raise DataError(
        f"the ERP's id of {buyer.name or 'an unnamed customer'} isn't known: create the customer there by this name, "
        "or give erp_id in billing.yaml",
        code="CUSTOMER_UNKNOWN",
    )


def _name(protocols: Mapping[str, Mapping[str, Any]], protocol: str) -> str:
    known = protocols.get(protocol) or {}
    return text(known.get("name") or known.get("protocol_name"))


def _headline(request: ServiceRequest) -> str:
    models = dict.fromkeys(text(module.details.get("model")) for module in request.modules)
    models.pop("", None)
    return f"PV Module Testing - {', '.join(models) or request.sr_number}"


def _mismatches(ordered: Mapping[str, int], work: Work, billed: Mapping[str, int]) -> Iterator[Hold]:
    """Give the protocols in which more or fewer modules were tested than ordered or billed."""
    for protocol in sorted({*ordered, *work.modules}):
        wanted, tested, counted = ordered.get(protocol, 0), work.tested(protocol), billed.get(protocol, 0)
        if not wanted == tested == counted:
            counts = f"{protocol}: {wanted} modules ordered, {tested} tested, {counted} billed"
            yield Hold("QUANTITY_MISMATCH", f"{counts}; correct the draft or post it as it is")
