"""Tests that are withdrawn after the invoice was posted are given back by a credit note each."""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from pv_testing.billing import Invoice, credit_note_key, credit_note_of, credit_note_record, differences
from pv_testing.billing.billing_step import BillingStep
from pv_testing.billing.einvoices import einvoice_record, write_e_invoices
from pv_testing.billing.invoice_jobs import Stage, is_withdrawn_wholly, posting_of, stage_of
from pv_testing.billing.invoice_state import COMPARED, InvoiceState
from pv_testing.billing.later_orders import ManualAdjustments, later_orders
from pv_testing.core import keys
from pv_testing.core.errors import DataError
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.records import ServiceRequest
from pv_testing.exchange.report import Report
from pv_testing.ledger import Entry, State
from pv_testing.workflow.withdrawals import withdrawn_at, withdrawn_from

SWEEP = "erp/credits"
IN_DOUBT = (
    "isn't to be made any more, but an earlier attempt may have made it: look in the ERP; confirm the credit note if "
    "it is there, else release it with --absent"
)


@dataclass(frozen=True)
class DueCreditNote:
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


@dataclass
class CreditJob:
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
    notes: list[DueCreditNote] = field(default_factory=list)
    later: list[Record] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    @property
    def keys(self) -> set[str]:
        """The business keys of all its records."""
        return {*(note.record.key for note in self.notes), *(record.key for record in self.later), *self.dropped}


class CreditWithdrawnTests(BillingStep):
    """Create a credit note for each test that was billed and is withdrawn now.

    A test is withdrawn that the framework lists as such, or lists no longer while it lists others. A test that isn't
    billed yet needs no credit note: the draft follows its service request. A test that has waited for a person after
    the invoice stays that person's matter, because part of it may be settled already; its withdrawal waits too.

    The step gives the reports of credit notes, of what was ordered after the invoice where there is any, and of
    e-invoices where the laboratory wants them. A request is finished when its invoice is posted and nothing of it
    waits, or when there is nothing to bill.
    """

    sweep = SWEEP

    async def carry(self) -> list[Report]:
        """Create the credit notes, show later orders to a person, and write e-invoices."""
        self._jobs = await asyncio.to_thread(self._take_up)
        self._notes: dict[str, DueCreditNote] = {}
        dropped: list[str] = []
        later: list[Record] = []
        for job in self._jobs:
            self._notes.update((note.record.key, note) for note in job.notes)
            dropped += job.dropped
            later += job.later
        keys_in_doubt = await asyncio.to_thread(self.ledger.in_doubt, self.client.system, "credit_note", dropped)
        reports = [await self._credit(keys_in_doubt)]
        if later:
            reports.append(await self.exchange("create_invoice", later))
        if not self.dry_run:
            await asyncio.to_thread(self._release, keys_in_doubt)
            documents = self._documents(reports[0])
            files = await write_e_invoices(self.policy, self.client, documents, replay=self.replay)
            if files is not None:
                reports.append(files)
        return reports

    async def remember(self) -> None:
        """Remember for which requests nothing is left to give back."""
        done: list[tuple[ServiceRequest, bool]] = []
        for job in self._jobs:
            credited = job.posted and self.waiting.isdisjoint(job.keys)
            done.append((job.request, job.nothing or credited))
        await self.backlog.keep(done, self.deleted)

    async def _credit(self, keys_in_doubt: AbstractSet[str]) -> Report:
        """Create the credit notes that aren't in effect; one that may be there although it is dropped waits."""
        due = [note.record for note in self._notes.values() if not note.in_effect]
        report = await self.exchange("create_credit_note", due)
        for key, note in self._notes.items():
            if note.in_effect:
                report.add([Outcome(key, Result.UNCHANGED, note.external_id)])
        for outcome in report.outcomes:
            report.notes += self._compared(outcome)
        for key in sorted(keys_in_doubt):
            report.add([Outcome(key, Result.QUARANTINED, code="IN_DOUBT", reason=IN_DOUBT)])
        return report

    def _compared(self, outcome: Outcome) -> list[str]:
        """Say where the ERP has computed a credit note otherwise than we have, where it says its amounts."""
        due = self._notes.get(outcome.key)
        if due is None or due.note is None or "total" not in outcome.body:
            return []
        wrong = differences(due.note, *(outcome.body.get(name) for name in COMPARED))
        return [f"{outcome.key}: credit note {outcome.external_id}: {each}" for each in wrong]

    def _take_up(self) -> list[CreditJob]:
        return [self._job(request) for request in self.requests]

    def _job(self, request: ServiceRequest) -> CreditJob:
        number = request.sr_number
        billed = InvoiceState(self.ledger, number)
        posting = posting_of(self.ledger, number)
        job = CreditJob(request, stage_of(posting, billed) is Stage.POSTED and bool(billed.posted))
        invoice = billed.invoice(self.policy)
        if posting is None or invoice is None or not job.posted:
            job.nothing = is_withdrawn_wholly(request) and posting is None and not self._may_be_billed(number)
            return job
        listed = [line.protocol_id for line in invoice.lines]
        adjustments = ManualAdjustments(self.ledger, number, [*listed, *request.protocols])
        own = keys.prefix(keys.compose(number))
        entries = {entry.key: entry for entry in self.ledger.entries("erp", "credit_note", prefix=own)}
        there = {key: entry.external_id for key, entry in entries.items() if entry.state is State.CONFIRMED}
        for protocol in withdrawn_from(request, listed):
            key = credit_note_key(number, protocol)
            if adjustments.settled(protocol) or (adjustments.has(protocol) and key not in there):
                continue
            job.notes.append(self._note(request, billed, invoice, protocol, posting, there.get(key, "")))
        if billed.is_as_drawn_up(invoice):
            credited = [protocol for protocol in listed if credit_note_key(number, protocol) in there]
            job.later += later_orders(request, invoice, self.policy, adjustments, credited)
        if not self.dry_run:
            adjustments.keep(job.later)
        job.outdated += adjustments.outdated(job.later)
        lines = {credit_note_key(number, protocol) for protocol in listed}
        unmade = (lines & entries.keys()) - there.keys()
        job.dropped += sorted(unmade.difference(note.record.key for note in job.notes))
        return job

    def _note(
        self,
        request: ServiceRequest,
        billed: InvoiceState,
        invoice: Invoice,
        protocol: str,
        posting: Entry,
        external_id: str,
    ) -> DueCreditNote:
        """Return the credit note of a withdrawn test, or one with the problem why it can't be made."""
        invoice_id = posting.external_id
        try:
            moment = withdrawn_at(self.ledger, request, protocol, keep=not self.dry_run)
            if not billed.is_as_drawn_up(invoice):
                changed = f"a person has changed invoice {invoice_id} in the ERP; credit it there"
                raise DataError(f"{protocol} was withdrawn, but {changed}", code="INVOICE_CHANGED")
            note = credit_note_of(
                invoice,
                protocol,
                invoice_id=invoice_id,
                withdrawn_at=moment,
                zone=self.zone,
                number=billed.posted["number"],
            )
            return DueCreditNote(credit_note_record(note), note, external_id)
        except DataError as error:
            key = credit_note_key(request.sr_number, protocol)
            return DueCreditNote(Record(key, {"invoice_id": invoice_id}, error), external_id=external_id)

    def _may_be_billed(self, number: str) -> bool:
        """Whether the ERP has an invoice of a service request, or may have one."""
        key = keys.compose(number)
        return bool(self.ledger.external_ids("erp", "invoice", [key]) or self.ledger.in_doubt("erp", "invoice", [key]))

    def _release(self, keys_in_doubt: AbstractSet[str]) -> None:
        """Let wait no longer what isn't so any more, but for what may have taken effect."""
        outdated: list[str] = []
        dropped: list[str] = []
        for job in self._jobs:
            outdated += job.outdated
            dropped += [key for key in job.dropped if key not in keys_in_doubt]
        for kind, released in (("invoice", outdated), ("credit_note", dropped)):
            self.ledger.release(self.client.system, kind, released, owner=self.client.owner, automatic=True)

    def _documents(self, report: Report) -> list[Record]:
        """Return the e-invoices of the credit notes that are in effect."""
        ids = report.external_ids()
        documents: list[Record] = []
        for key, due in self._notes.items():
            if due.note is not None and key in ids:
                documents.append(einvoice_record(key, due.note, ids[key]))
        return documents


credit_withdrawn_tests = CreditWithdrawnTests.over
