"""Tests that are withdrawn after the invoice was posted are given back by a credit note each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from pv_testing.billing import BillingPolicy, Invoice, credit_note_of, credit_note_record, differences
from pv_testing.billing.quantities import withdrawn_protocols
from pv_testing.domain.records import ServiceRequest
from pv_testing.errors import DataError
from pv_testing.exchange.report import Report
from pv_testing.exchange.types import Outcome, Record, Result
from pv_testing.integrations.erp import ERPClient
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.ledger import Ledger, State
from pv_testing.workflows.billed import Billed
from pv_testing.workflows.cases import Stage, posting_of, stage_of
from pv_testing.workflows.einvoices import einvoice_record, write_e_invoices
from pv_testing.workflows.intake import deletions
from pv_testing.workflows.invoicing import lab_zone
from pv_testing.workflows.seen import Seen
from pv_testing.workflows.withdrawals import moments_of, withdrawn_from

SWEEP = "erp/credits"


async def credit_withdrawn_tests(
    framework: FrameworkClient,
    erp: ERPClient,
    sr_ids: Iterable[int],
    *,
    replay: bool = False,
    dry_run: bool = False,
    policy: BillingPolicy | None = None,
    zone: tzinfo | None = None,
) -> list[Report]:
    """Create a credit note for each test that was billed and is withdrawn now.

    A test is withdrawn that the framework lists as such, or lists no longer while it lists others. What isn't billed
    yet needs no credit note: the draft follows its service request.

    Args:
        framework: where the requests are.
        erp: where the credit notes are to be.
        sr_ids: the framework's ids of the requests.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.
        policy: how the laboratory bills; ``billing.yaml`` and ``prices.yaml`` without it.
        zone: the laboratory's time zone; the configuration's without it.

    Returns:
        The reports of credit notes, and of their e-invoices where the laboratory wants them.
    """
    policy, zone = policy or BillingPolicy.read(), zone or lab_zone()
    requests, deleted = await framework.aservice_requests(sr_ids)
    found = await asyncio.to_thread(_credits, erp.ledger, requests, policy, zone, keep=not dry_run)
    records = [each.record for case in found for each in case.notes if not each.in_effect]
    report = await erp.aexchange("create_credit_note", records, replay=replay, dry_run=dry_run)
    report.add(each.unchanged() for case in found for each in case.notes if each.in_effect)
    ids = report.external_ids()
    report.notes += [said for case in found for said in case.said]
    report.notes += [said for outcome in report.outcomes for said in _compared(outcome, found)]
    report.notes += deletions(deleted)
    if dry_run:
        return [report]
    documents = [
        einvoice_record(each.record.key, each.note, ids[each.record.key])
        for case in found
        for each in case.notes
        if each.note is not None and each.record.key in ids
    ]
    files = await write_e_invoices(policy, erp, documents, replay=replay)
    reports = [report] if files is None else [report, files]
    waiting = {outcome.key.partition("/")[0] for each in reports for outcome in each.not_in_effect()}
    done = [each.request for each in found if each.posted and each.request.sr_number not in waiting]
    await asyncio.to_thread(Seen(erp.ledger, SWEEP).keep, done)
    return reports


@dataclass(frozen=True)
class Credit:
    """One credit note.

    Attributes:
        record: to be sent, or why it can't be.
        note: the credit note itself; ``None`` where there can't be one.
        external_id: its id in the ERP, where the ledger says that it is in effect.
    """

    record: Record
    note: Invoice | None = None
    external_id: str = ""

    @property
    def in_effect(self) -> bool:
        """Whether it is there already; then nothing of it is sent, whatever a contract says of changes."""
        return bool(self.external_id)

    def unchanged(self) -> Outcome:
        """Return the outcome of one that is there already."""
        return Outcome(self.record.key, Result.UNCHANGED, self.external_id)


@dataclass
class Credits:
    """What is to be given back of one service request.

    Attributes:
        request: as the framework has it.
        posted: whether its invoice is posted.
        notes: the credit notes.
        said: what else a person should know.
    """

    request: ServiceRequest
    posted: bool
    notes: list[Credit] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def _credits(
    ledger: Ledger, requests: Sequence[ServiceRequest], policy: BillingPolicy, zone: tzinfo, *, keep: bool
) -> list[Credits]:
    return [_credits_of(ledger, request, policy, zone, keep=keep) for request in requests]


def _credits_of(ledger: Ledger, request: ServiceRequest, policy: BillingPolicy, zone: tzinfo, *, keep: bool) -> Credits:
    number = request.sr_number
    billed = Billed(ledger, number)
    posting = posting_of(ledger, number)
    case = Credits(request, stage_of(posting, billed) is Stage.POSTED and bool(billed.posted))
    invoice = billed.invoice(policy)
    if posting is None or invoice is None or not case.posted:
        return case
    lines = [line.protocol_id for line in invoice.lines]
    gone = withdrawn_from(request, lines)
    known = {entry.key: entry for entry in ledger.entries("erp", "credit_note", prefix=f"{number}/")}
    moments = moments_of(ledger, request, gone, keep=keep)
    for protocol in gone:
        credit = _credit(billed, invoice, protocol, posting.external_id, moments[protocol], zone)
        entry = known.get(credit.record.key)
        there = entry.external_id if entry is not None and entry.state is State.CONFIRMED else ""
        case.notes.append(Credit(credit.record, credit.note, there))
    added = [each for each in request.protocols if each not in lines and each not in withdrawn_protocols(request)]
    if added:
        case.said.append(f"{number}: {', '.join(added)} was added after the invoice; bill it in the ERP")
    return case


def _credit(billed: Billed, invoice: Invoice, protocol: str, invoice_id: str, moment: datetime, zone: tzinfo) -> Credit:
    key = f"{invoice.sr_number}/{protocol}"
    if not billed.is_as_drawn_up(invoice):
        reason = f"{protocol} was withdrawn, but a person has changed invoice {invoice_id} in the ERP; credit it there"
        return Credit(Record(key, {"invoice_id": invoice_id}, DataError(reason, code="INVOICE_CHANGED")))
    number = billed.posted["number"]
    note = credit_note_of(invoice, protocol, invoice_id=invoice_id, withdrawn_at=moment, zone=zone, number=number)
    return Credit(credit_note_record(note), note)


def _compared(outcome: Outcome, found: Sequence[Credits]) -> list[str]:
    """Say where the ERP has computed a credit note otherwise than we have, where it says what it has computed."""
    notes = {each.record.key: each.note for case in found for each in case.notes}
    note = notes.get(outcome.key)
    if note is None or "total" not in outcome.body:
        return []
    wrong = differences(note, *(outcome.body.get(name) for name in ("subtotal", "tax", "total")))
    return [f"{outcome.key}: credit note {outcome.external_id}: {each}" for each in wrong]
