"""One service request on its way to a posted invoice: what is known of it, and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pv_testing.billing import Invoice, differences, invoice_record
from pv_testing.billing.invoice_state import COMPARED, InvoiceState, amounts
from pv_testing.core import keys
from pv_testing.core.errors import DataError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.records import ServiceRequest
from pv_testing.domain.withdrawals import withdrawn_protocols
from pv_testing.integrations import erp_records
from pv_testing.ledger import Entry, Ledger, State

SETTLED = ("POSTED", "PAID")
MISSING = "MISSING"
UNCLEAR = "UNCLEAR"
_GONE = {
    "CANCELLED": ("INVOICE_CANCELLED", "it was cancelled in the ERP; make it anew there, then confirm it"),
    MISSING: ("INVOICE_MISSING", "it isn't in the ERP any more; make it anew there, then confirm it"),
    UNCLEAR: ("STATUS_UNKNOWN", "what the ERP says of it isn't understood"),
}


class Stage(Enum):
    """How far an invoice is, as the ledger knows it.

    ``DRAFT``: it may be computed anew. ``SENT``: it may have been posted, so nothing of it may change. ``POSTED``.
    """

    DRAFT = "draft"
    SENT = "sent"
    POSTED = "posted"


def posting_of(ledger: Ledger, sr_number: str) -> Entry | None:
    """Return the ledger's entry of the posting of a service request's invoice."""
    key = keys.compose(sr_number)
    return ledger.states("erp", "invoice_posting", [key]).get(key)


def stage_of(posting: Entry | None, billed: InvoiceState) -> Stage:
    """Return how far an invoice is.

    Args:
        posting: the ledger's entry.
        billed: what is remembered; nothing can be sent once more of which that isn't known.
    """
    if posting is not None and posting.state is State.CONFIRMED:
        return Stage.POSTED
    under_way = posting is not None and posting.state in {State.IN_FLIGHT, State.UNKNOWN}
    return Stage.SENT if under_way and billed.posting else Stage.DRAFT


def is_withdrawn_wholly(request: ServiceRequest) -> bool:
    """Whether every test of a service request is withdrawn."""
    withdrawn = withdrawn_protocols(request)
    return bool(withdrawn) and withdrawn >= set(request.protocols)


@dataclass
class InvoiceJob:
    """One service request.

    Attributes:
        request: as the framework has it.
        billed: what the ledger remembers of its invoice.
        invoice_id: the invoice's id in the ERP; empty while there is none.
        stage: how far it is.
        in_doubt: whether it may have been created without the ledger knowing its id.
        in_erp: what the ERP says of the invoice, where it was asked.
        invoice: as it is to be, where it was computed in this run.
        problem: why there can be no invoice.
        holds: why the invoice stays a draft: a code and words each.
        edited: whether a person has changed the draft since it was written.
    """

    request: ServiceRequest
    billed: InvoiceState
    invoice_id: str
    stage: Stage
    in_doubt: bool = False
    in_erp: Mapping[str, Any] = field(default_factory=dict)
    invoice: Invoice | None = None
    problem: DataError | None = None
    holds: list[tuple[str, str]] = field(default_factory=list)
    edited: bool = False
    _written: bool = False

    @property
    def key(self) -> str:
        """The business key of its invoice, made of the number of the service request."""
        return keys.compose(self.request.sr_number)

    @property
    def is_settled_in_erp(self) -> bool:
        """Whether the ERP says that the invoice is posted, whoever has posted it."""
        return self.in_erp.get("status") in SETTLED

    @property
    def is_posted(self) -> bool:
        """Whether the ledger says that it is posted, and the ERP has said so too."""
        return self.stage is Stage.POSTED and bool(self.billed.posted)

    @property
    def is_withdrawn_wholly(self) -> bool:
        """Whether there is nothing to bill because every test was withdrawn before there was an invoice."""
        nothing = self.problem is not None and self.problem.code == Reason.NOTHING_TO_BILL
        return nothing and not self.invoice_id and not self.in_doubt and is_withdrawn_wholly(self.request)

    @property
    def writable(self) -> bool:
        """Whether there is no invoice yet, or a draft."""
        return self.stage is Stage.DRAFT and self.in_erp.get("status", "DRAFT") == "DRAFT"

    def drawn_up(self, invoice: Invoice) -> None:
        """Take the invoice as it is to be, and remember it, unless a person has changed the draft meanwhile."""
        self.invoice = invoice
        self.edited = self._is_edited(invoice)
        if self.edited:
            self.holds.append(("DRAFT_EDITED", "a person has changed it in the ERP; post it there when it is right"))
        else:
            self.billed.draw_up(invoice)
        self.holds += [(hold.code, hold.reason) for hold in invoice.holds]

    def _is_edited(self, invoice: Invoice) -> bool:
        if not self.in_erp or not self.billed.written or amounts(self.in_erp) == self.billed.written:
            return False
        return bool(_differences(invoice, self.in_erp))

    def record(self) -> Record | None:
        """Return the invoice to send, or why there is none; ``None`` where nothing of it may be sent."""
        if not self.writable or self.edited:
            return None
        if self.problem is not None:
            return Record(
                self.key, {"sr_number": self.request.sr_number, "customer": dict(self.request.customer)}, self.problem
            )
        return invoice_record(self.invoice) if self.invoice else None

    def untouched(self) -> Outcome:
        """Return the outcome of an invoice that is left as it is."""
        return Outcome(self.key, Result.UNCHANGED, self.invoice_id)

    def written_as(self, outcome: Outcome) -> None:
        """Take what became of the draft."""
        self._written = outcome.result.in_effect
        self.invoice_id = outcome.external_id or self.invoice_id

    def seen_in_erp(self) -> None:
        """Compare with the draft as the ERP has made it, and remember that one."""
        assert self.invoice is not None
        self.billed.note(written=amounts(self.in_erp))
        wrong = _differences(self.invoice, self.in_erp)
        if wrong:
            self.holds.append(("AMOUNTS_DIFFER", f"{'; '.join(wrong)}; correct the draft or post it as it is"))

    @property
    def may_be_posted(self) -> bool:
        """Whether there is an invoice in the ERP whose posting is due or waits."""
        if self.stage is Stage.DRAFT:
            return self._written or self.edited or not self.writable
        return self.stage is Stage.SENT

    def posting(self, planned: str = "") -> Record:
        """Return the posting to send, or why it waits.

        Args:
            planned: stands for an id that isn't known yet.
        """
        status = str(self.in_erp.get("status", ""))
        if status in _GONE:
            code, what = _GONE[status]
            return self._held(code, f"{what}: {self.in_erp['reason']}" if "reason" in self.in_erp else what)
        if self.holds and not self.is_settled_in_erp:
            code = self.holds[0][0]
            return self._held(code, "; ".join(reason for _, reason in self.holds))
        if self.stage is Stage.DRAFT:
            self.billed.note(posting={"invoice_id": self.invoice_id or planned, "total": self._total()})
        return erp_records.posting(self.key, **self.billed.posting)

    def contradiction(self) -> Record:
        """Return the posting that isn't what the ledger says, perhaps by a person's mistake, so that it waits again."""
        who = "the ledger says" if self.billed.posting else "a person has confirmed"
        reason = f"{who} that invoice {self.invoice_id} is posted, but in the ERP it is {self._status}"
        return Record(self.key, {"invoice_id": self.invoice_id}, DataError(reason, code="NOT_POSTED"))

    def unseen(self) -> Outcome:
        """Return the outcome of a posting in this run of which the ERP knows nothing when it is asked right after."""
        reason = (
            f"invoice {self.invoice_id} was posted, but in the ERP it is {self._status} right after; see the next run"
        )
        return Outcome(self.key, Result.DEFERRED, self.invoice_id, "NOT_POSTED", reason)

    @property
    def _status(self) -> str:
        return str(self.in_erp.get("status", "")).lower()

    def _total(self) -> str:
        if self.is_settled_in_erp or self.invoice is None:
            return str(self.in_erp.get("total", ""))
        return self.invoice.money(self.invoice.total)

    def _held(self, code: str, reason: str) -> Record:
        data = {"invoice_id": self.invoice_id, "held": code, "reason": reason}
        return Record(self.key, data, DataError(f"invoice {self.invoice_id} isn't posted: {reason}", code=code))


def _differences(invoice: Invoice, in_erp: Mapping[str, Any]) -> list[str]:
    return differences(invoice, *(in_erp.get(name) for name in COMPARED))
