"""Tests that are withdrawn after the invoice was posted are given back by a credit note each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from pv_testing.billing import BillingPolicy, Invoice, credit_note_key, credit_note_of, credit_note_record, differences
from pv_testing.billing.einvoices import einvoice_record, write_e_invoices
from pv_testing.billing.invoice_jobs import Stage, is_withdrawn_wholly, posting_of, stage_of
from pv_testing.billing.invoice_state import COMPARED, InvoiceState
from pv_testing.billing.invoicing import LOOK_BACK_DAYS
from pv_testing.billing.later_orders import ManualAdjustments, later_orders
from pv_testing.config import lab_zone
from pv_testing.core import keys
from pv_testing.core.errors import DataError
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.records import ServiceRequest
from pv_testing.exchange.report import Report
from pv_testing.integrations.erp import ERPClient
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.ledger import Ledger, State
from pv_testing.workflow.sweep_backlog import SweepBacklog
from pv_testing.workflow.withdrawals import withdrawn_at, withdrawn_from

SWEEP = "erp/credits"
IN_DOUBT = (
    "isn't to be made any more, but an earlier attempt may have made it: look in the ERP; confirm the credit note if "
    "it is there, else release it with --absent"
)


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
    yet needs no credit note: the draft follows its service request. A test that has waited for a person after the
    invoice is hers, who may have settled part of it; its withdrawal waits too.

    Args:
        framework: where the requests are.
        erp: where the credit notes are to be.
        sr_ids: the framework's ids of the requests.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.
        policy: how the laboratory bills; ``billing.yaml`` and ``prices.yaml`` without it.
        zone: the laboratory's time zone; the configuration's without it.

    Returns:
        The reports of credit notes, of what was ordered after the invoice where there is any, and of e-invoices where
        the laboratory wants them.
    """
    policy, zone = policy or BillingPolicy.read(), zone or lab_zone()
    flags = {"replay": replay, "dry_run": dry_run}
    requests, missing = await framework.aservice_requests(sr_ids)
    found = await asyncio.to_thread(_credits, erp.ledger, requests, policy, zone, keep=not dry_run)
    records = [each.record for job in found for each in job.notes if not each.in_effect]
    report = await erp.aexchange("create_credit_note", records, **flags)
    report.add(each.unchanged() for job in found for each in job.notes if each.in_effect)
    report.notes += [said for outcome in report.outcomes for said in _compared(outcome, found)]
    dropped = [key for job in found for key in job.dropped]
    doubtful = await asyncio.to_thread(erp.ledger.in_doubt, erp.system, "credit_note", dropped)
    report.add(Outcome(key, Result.QUARANTINED, code="IN_DOUBT", reason=IN_DOUBT) for key in sorted(doubtful))
    missing.add_to(report)
    reports = [report]
    later = [record for job in found for record in job.later]
    if later:
        reports.append(await erp.aexchange("create_invoice", later, **flags))
    if not dry_run:
        await asyncio.to_thread(_release, erp, found, doubtful)
        files = await write_e_invoices(policy, erp, _documents(found, report.external_ids()), replay=replay)
        reports += [] if files is None else [files]
        waiting = {outcome.key for each in reports for outcome in each.not_in_effect()}
        done = [(each.request, each.nothing or (each.posted and not each.keys & waiting)) for each in found]
        memory = await asyncio.to_thread(SweepBacklog, erp.ledger, SWEEP, LOOK_BACK_DAYS)
        await memory.keep(done, missing.deleted)
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
        nothing: whether there is no invoice and nothing to bill.
        notes: the credit notes.
        later: what was ordered after the invoice, for a person to settle.
        outdated: keys of what waits as ordered after the invoice, but isn't so any more.
        dropped: keys of credit notes that were to be made before, and aren't any more.
    """

    request: ServiceRequest
    posted: bool
    nothing: bool = False
    notes: list[Credit] = field(default_factory=list)
    later: list[Record] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    @property
    def keys(self) -> set[str]:
        """The business keys of all its records."""
        return {each.record.key for each in self.notes} | {record.key for record in self.later} | {*self.dropped}


def _credits(
    ledger: Ledger, requests: Sequence[ServiceRequest], policy: BillingPolicy, zone: tzinfo, *, keep: bool
) -> list[Credits]:
    return [_credits_of(ledger, request, policy, zone, keep=keep) for request in requests]


def _credits_of(ledger: Ledger, request: ServiceRequest, policy: BillingPolicy, zone: tzinfo, *, keep: bool) -> Credits:
    number = request.sr_number
    billed = InvoiceState(ledger, number)
    posting = posting_of(ledger, number)
    job = Credits(request, stage_of(posting, billed) is Stage.POSTED and bool(billed.posted))
    invoice = billed.invoice(policy)
    if posting is None or invoice is None or not job.posted:
        job.nothing = is_withdrawn_wholly(request) and posting is None and not _may_be_billed(ledger, number)
        return job
    listed = [line.protocol_id for line in invoice.lines]
    adjustments = ManualAdjustments(ledger, number, [*listed, *request.protocols])
    own = keys.prefix(keys.compose(number))
    entries = {entry.key: entry for entry in ledger.entries("erp", "credit_note", prefix=own)}
    there = {key: entry.external_id for key, entry in entries.items() if entry.state is State.CONFIRMED}
    for protocol in withdrawn_from(request, listed):
        key = credit_note_key(number, protocol)
        if adjustments.settled(protocol) or (adjustments.has(protocol) and key not in there):
            continue
        try:
            moment = withdrawn_at(ledger, request, protocol, keep=keep)
            note = _credit_note(billed, invoice, protocol, posting.external_id, moment, zone)
            credit = Credit(credit_note_record(note), note, there.get(key, ""))
        except DataError as error:
            credit = Credit(Record(key, {"invoice_id": posting.external_id}, error), external_id=there.get(key, ""))
        job.notes.append(credit)
    if billed.is_as_drawn_up(invoice):
        credited = [protocol for protocol in listed if credit_note_key(number, protocol) in there]
        job.later += later_orders(request, invoice, policy, adjustments, credited)
    if keep:
        adjustments.keep(job.later)
    job.outdated += adjustments.outdated(job.later)
    lines = {credit_note_key(number, protocol) for protocol in listed}
    unmade = (lines & entries.keys()) - there.keys()
    job.dropped += sorted(unmade - {each.record.key for each in job.notes})
    return job


def _may_be_billed(ledger: Ledger, number: str) -> bool:
    """Whether the ERP has an invoice of a service request, or may have one."""
    key = keys.compose(number)
    return bool(ledger.external_ids("erp", "invoice", [key]) or ledger.in_doubt("erp", "invoice", [key]))


def _release(erp: ERPClient, found: Sequence[Credits], doubtful: AbstractSet[str]) -> None:
    """Let wait no longer what isn't so any more, but for what may have taken effect."""
    outdated = [key for job in found for key in job.outdated]
    dropped = [key for job in found for key in job.dropped if key not in doubtful]
    erp.ledger.release(erp.system, "invoice", outdated, owner=erp.owner, automatic=True)
    erp.ledger.release(erp.system, "credit_note", dropped, owner=erp.owner, automatic=True)


def _credit_note(
    billed: InvoiceState, invoice: Invoice, protocol: str, invoice_id: str, moment: datetime, zone: tzinfo
) -> Invoice:
    if not billed.is_as_drawn_up(invoice):
        reason = f"{protocol} was withdrawn, but a person has changed invoice {invoice_id} in the ERP; credit it there"
        raise DataError(reason, code="INVOICE_CHANGED")
    number = billed.posted["number"]
    return credit_note_of(invoice, protocol, invoice_id=invoice_id, withdrawn_at=moment, zone=zone, number=number)


def _documents(found: Sequence[Credits], ids: Mapping[str, str]) -> list[Record]:
    """Return the e-invoices of the credit notes that are in effect."""
    notes = [each for job in found for each in job.notes if each.record.key in ids]
    return [einvoice_record(each.record.key, each.note, ids[each.record.key]) for each in notes if each.note]


def _compared(outcome: Outcome, found: Sequence[Credits]) -> list[str]:
    """Say where the ERP has computed a credit note otherwise than we have, where it says what it has computed."""
    notes = {each.record.key: each.note for job in found for each in job.notes}
    note = notes.get(outcome.key)
    if note is None or "total" not in outcome.body:
        return []
    wrong = differences(note, *(outcome.body.get(name) for name in COMPARED))
    return [f"{outcome.key}: credit note {outcome.external_id}: {each}" for each in wrong]
