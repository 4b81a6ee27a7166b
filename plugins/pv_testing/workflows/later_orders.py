"""What was ordered otherwise after the invoice was posted: a person bills it, for a posted invoice never changes."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pv_testing.billing import BillingPolicy, Invoice
from pv_testing.billing.policy import ANNOUNCED
from pv_testing.domain.records import ServiceRequest
from pv_testing.domain.withdrawals import wanted_protocols
from pv_testing.errors import DataError
from pv_testing.exchange.types import Record


def later_orders(
    request: ServiceRequest, invoice: Invoice, policy: BillingPolicy, credited: Collection[str] = ()
) -> Iterator[Record]:
    """Give a record that waits for a person for each test and each quantity that the posted invoice doesn't have.

    Args:
        request: as the framework has it.
        invoice: as it was posted.
        policy: whether quantities are the announced ones, which alone are compared.
        credited: protocols of the invoice that were given back.
    """
    quantities = {line.protocol_id: line.quantity for line in invoice.lines if line.protocol_id not in credited}
    for protocol in wanted_protocols(request) if request.assigned else ():
        billed, ordered = quantities.get(protocol), request.quantity
        if billed is None:
            said = f"{protocol} was added after the invoice"
            yield _waits(f"{request.sr_number}/{protocol}", "ADDED_AFTER_INVOICE", said)
        elif billed != ordered and policy.quantity == ANNOUNCED:
            said = f"{protocol}: {billed} modules were billed, {ordered} are ordered now"
            yield _waits(f"{request.sr_number}/{protocol}/{ordered}", "QUANTITY_CHANGED", said)


def _waits(key: str, code: str, said: str) -> Record:
    reason = f"{said}; settle it in the ERP, then confirm this record with the id of what you made there"
    return Record(key, {"later_order": key, "code": code}, DataError(reason, code=code))
