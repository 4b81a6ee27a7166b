"""What the ledger remembers of a service request's invoice, so that every later run says the same of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pv_testing.billing import BillingPolicy, Invoice, differences
from pv_testing.billing.keeping import kept, restored
from pv_testing.core.errors import DataError
from pv_testing.core.values import instant
from pv_testing.domain.reading import first, text
from pv_testing.domain.records import ServiceRequest
from pv_testing.ledger import Ledger

APPROVED = "REPORTS_APPROVED"
AMOUNTS = ("subtotal", "tax", "total")
# What of an invoice in the ERP is compared with ours.
COMPARED = (*AMOUNTS, "currency")


class InvoiceState:
    """The memory of one service request's invoice.

    Args:
        ledger: where it is kept.
        sr_number: the service request's number.
        keep: whether what is noted outlives this object; a dry run keeps nothing.
    """

    def __init__(self, ledger: Ledger, sr_number: str, *, keep: bool = True) -> None:
        self._ledger = ledger
        self._name = f"erp/invoice/{sr_number}"
        self._keep = keep
        self._known: dict[str, Any] = ledger.state(self._name, {})

    def note(self, **facts: Any) -> None:
        """Remember facts, before anything is sent that depends on them, beside what another run has noted meanwhile."""
        if {**self._known, **facts} == self._known:
            return
        if self._keep:
            self._known = self._ledger.update(self._name, lambda kept: {**kept, **facts}, {})
        else:
            self._known = {**self._known, **facts}

    def approved_at(self, request: ServiceRequest) -> datetime:
        """Return when the reports were approved, as the framework said when that was first seen.

        Args:
            request: approved or closed.

        Raises:
            DataError: the framework says no time (``APPROVAL_UNKNOWN``), or none that can be read.
        """
        if "approved_at" not in self._known:
            self.note(approved_at=instant(_approval(request)))
        return datetime.fromisoformat(str(self._known["approved_at"]).replace("Z", "+00:00"))

    def draw_up(self, invoice: Invoice) -> None:
        """Remember the invoice as it is about to be sent."""
        self.note(invoice=kept(invoice))

    def invoice(self, policy: BillingPolicy) -> Invoice | None:
        """Return the invoice as it was last drawn up; ``None`` where there was none."""
        invoice = self._known.get("invoice")
        return restored(invoice, policy) if invoice else None

    @property
    def written(self) -> str:
        """What the ERP made of the draft when it was last written, as :func:`amounts` says it."""
        return str(self._known.get("written", ""))

    @property
    def posting(self) -> Mapping[str, str]:
        """Id and total with which the draft was last to be posted; empty before."""
        return dict(self._known.get("posting", {}))

    @property
    def posted(self) -> Mapping[str, str]:
        """What the ERP says of the posted invoice: ``number``, ``amounts`` and ``currency``; empty before."""
        return dict(self._known.get("posted", {}))

    def is_as_drawn_up(self, invoice: Invoice) -> bool:
        """Whether what was posted comes to what was drawn up."""
        subtotal, tax, total = self.posted.get("amounts", "//").split("/")
        return not differences(invoice, subtotal, tax, total, self.posted.get("currency"))

    @property
    def settled(self) -> str:
        """What the posted invoice was when it wasn't open any more, such as ``paid``; empty before."""
        return str(self._known.get("settled", ""))


def amounts(in_erp: Mapping[str, Any]) -> str:
    """Return subtotal, tax and total of an invoice in the ERP as one text to compare."""
    return "/".join(str(in_erp.get(name, "")) for name in AMOUNTS)


def posted_as(in_erp: Mapping[str, Any]) -> dict[str, str]:
    """Return the facts to remember of a posted invoice.

    Args:
        in_erp: the invoice as the ERP has it.
    """
    return {"number": in_erp["number"], "amounts": amounts(in_erp), "currency": str(in_erp.get("currency") or "")}


def _approval(request: ServiceRequest) -> str:
    """Return when a request was approved: what the framework says of it, else when the request changed last."""
    history = request.raw.get("status_history") or ()
    approvals = [each for each in history if isinstance(each, Mapping) and each.get("status") == APPROVED]
    moments = [first(each, "at", "changed_at", "timestamp") for each in approvals]
    stated = first(request.raw, "approved_at", "reports_approved_at") or next(iter(moments), None)
    approved_at = text(stated or request.raw.get("updated_at"))
    if not approved_at:
        reason = "the framework doesn't say when its reports were approved, so the invoice has no date"
        raise DataError(reason, code="APPROVAL_UNKNOWN")
    return approved_at
