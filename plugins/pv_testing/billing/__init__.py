"""What the customer pays: prices, quantities, tax and totals, and the same as an e-invoice. Nothing is sent here."""

from pv_testing.billing.credit import credit_note_key, credit_note_of, credit_note_record
from pv_testing.billing.differences import differences
from pv_testing.billing.drafting import invoice_of
from pv_testing.billing.invoice import Hold, Invoice, LineItem, invoice_record
from pv_testing.billing.policy import BillingPolicy

__all__ = [
    "BillingPolicy",
    "Hold",
    "Invoice",
    "LineItem",
    "credit_note_key",
    "credit_note_of",
    "credit_note_record",
    "differences",
    "invoice_of",
    "invoice_record",
]
