"""Approved service requests become invoices in the ERP: drafted, compared with what the ERP computes, and posted.

A draft follows its service request; one that a person should see first is left a draft, and its posting waits. A posted
invoice is never changed. What was drafted is remembered, so that a new price list changes no invoice that is posted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pv_testing.billing import invoice_of
from pv_testing.billing.billing_step import BillingStep
from pv_testing.billing.customers import PLANNED, Customers
from pv_testing.billing.einvoices import einvoice_record, write_e_invoices
from pv_testing.billing.invoice_jobs import MISSING, UNCLEAR, InvoiceJob, Stage, posting_of, stage_of
from pv_testing.billing.invoice_state import APPROVED, InvoiceState, posted_as
from pv_testing.billing.payments import Payments
from pv_testing.core import keys
from pv_testing.core.concurrency import together
from pv_testing.core.errors import DataError, NotFound
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.reading import read_execution
from pv_testing.domain.records import ServiceRequest
from pv_testing.domain.status import rank
from pv_testing.exchange.report import Report
from pv_testing.integrations.framework import gather_bounded
from pv_testing.workflow.step import waiting_keys

SWEEP = "erp/invoices"


class CreateInvoices(BillingStep):
    """Create the invoice of every approved or closed service request, and post it where nothing speaks against it.

    A request that isn't approved yet is noted. The step gives the reports of invoices, of their posting, and where
    there were any of new customers and e-invoices. A request is finished when its invoice is posted.
    """

    sweep = SWEEP

    async def carry(self) -> list[Report]:
        """Draw up the invoices, write them, post them, and look which ones are paid."""
        jobs = await asyncio.to_thread(self._take_up)
        await gather_bounded([self._look(job) for job in jobs])
        customers = await self._draw_up([job for job in jobs if job.writable])
        self._jobs: list[InvoiceJob] = []
        self._empty: list[InvoiceJob] = []
        for job in jobs:
            (self._empty if job.is_withdrawn_wholly else self._jobs).append(job)
        invoices = await self._write()
        postings = await self._post()
        self._files = await self._e_invoices()
        for request in self.requests:
            if not _is_approved(request):
                invoices.notes.append(f"{request.sr_number}: not approved yet")
        for job in self._empty:
            invoices.notes.append(f"{job.key}: every test was withdrawn; there is nothing to bill")
        postings.notes += await self._payments()
        return [report for report in (invoices, postings, customers, self._files) if report is not None]

    async def remember(self) -> None:
        """Remember which requests are billed, or have nothing to bill."""
        await self.release("invoice", [job.key for job in self._empty])
        unwritten = waiting_keys([self._files]) if self._files else set()
        done = [(job.request, job.is_posted and job.key not in unwritten) for job in self._jobs]
        done += [(job.request, True) for job in self._empty]
        await self.backlog.keep(done, self.deleted)

    def _take_up(self) -> list[InvoiceJob]:
        """Return the approved requests with what the ledger knows of them."""
        approved = [request for request in self.requests if _is_approved(request)]
        numbers = [keys.compose(request.sr_number) for request in approved]
        ids = self.ledger.external_ids(self.client.system, "invoice", numbers)
        keys_in_doubt = self.ledger.in_doubt(self.client.system, "invoice", numbers)
        jobs: list[InvoiceJob] = []
        for request in approved:
            posting = posting_of(self.ledger, request.sr_number)
            billed = InvoiceState(self.ledger, request.sr_number, keep=not self.dry_run)
            key = keys.compose(request.sr_number)
            invoice_id = (posting.external_id if posting else "") or ids.get(key, "")
            jobs.append(
                InvoiceJob(request, billed, invoice_id, stage_of(posting, billed), in_doubt=key in keys_in_doubt)
            )
        return jobs

    async def _look(self, job: InvoiceJob) -> None:
        """Ask the ERP about an invoice that isn't known to be posted, or of which it isn't known as what."""
        if job.invoice_id and job.stage is not Stage.SENT and not job.is_posted:
            await self._ask(job)

    async def _ask(self, job: InvoiceJob) -> None:
        """Ask the ERP about an invoice; one that is gone or can't be understood is one job's trouble, not all's."""
        try:
            job.in_erp = await self.client.ainvoice(job.invoice_id)
        except NotFound:
            job.in_erp = {"status": MISSING}
        except DataError as error:
            job.in_erp = {"status": UNCLEAR, "reason": error.message}

    async def _draw_up(self, jobs: Sequence[InvoiceJob]) -> Report | None:
        """Compute the invoices anew that aren't posted, and remember them before they are sent."""
        if not jobs:
            return None
        customers = Customers(self.client, self.policy, replay=self.replay, dry_run=self.dry_run)
        protocols, _ = await together(self.framework.aprotocols(), customers.learn([job.request for job in jobs]))
        await gather_bounded([self._compute(job, customers, protocols) for job in jobs])
        return customers.report

    async def _compute(self, job: InvoiceJob, customers: Customers, protocols: Mapping[str, Mapping[str, Any]]) -> None:
        rows = await self.framework.alist("list_executions", sr_id=job.request.id)
        await asyncio.to_thread(self._draw, job, rows, customers, protocols)

    def _draw(
        self,
        job: InvoiceJob,
        rows: Sequence[Mapping[str, Any]],
        customers: Customers,
        protocols: Mapping[str, Mapping[str, Any]],
    ) -> None:
        try:
            invoice = invoice_of(
                job.request,
                [read_execution(row) for row in rows],
                protocols,
                self.policy,
                job.billed.approved_at(job.request),
                self.zone,
                customer_id=customers.id_of(job.request),
            )
        except DataError as error:
            job.problem = error
        else:
            job.drawn_up(invoice)

    async def _write(self) -> Report:
        """Create the drafts and change those that are there, then see what the ERP has made of them."""
        records: list[Record] = []
        written: list[InvoiceJob] = []
        untouched: list[InvoiceJob] = []
        for job in self._jobs:
            record = job.record()
            if record is None:
                untouched.append(job)
            else:
                records.append(record)
                written.append(job)
        report = await self.exchange("create_invoice", records)
        report.add(job.untouched() for job in untouched)
        outcomes = {outcome.key: outcome for outcome in report.outcomes}
        await gather_bounded([self._compare(job, outcomes[job.key]) for job in written])
        return report

    async def _compare(self, job: InvoiceJob, outcome: Outcome) -> None:
        job.written_as(outcome)
        if self.dry_run or not outcome.result.in_effect:
            return
        if outcome.result is not Result.UNCHANGED or not job.in_erp:
            await self._ask(job)
        await asyncio.to_thread(job.seen_in_erp)

    async def _post(self) -> Report:
        """Post what nothing speaks against; the rest waits, each with its reason."""
        due = [job for job in self._jobs if job.may_be_posted]
        records = await asyncio.to_thread(self._postings, due)
        if not self.dry_run:
            # Let wait no longer what a person has posted, even if the ERP refused us that.
            await self.release("invoice_posting", [job.key for job in due if job.is_settled_in_erp])
        report = await self.exchange("post_invoice", records)
        before = [job for job in self._jobs if job.stage is Stage.POSTED]
        if not self.dry_run:
            await self._check_posted(report, before, due)
        report.add(job.untouched() for job in before if self.dry_run or job.is_posted)
        return report

    def _postings(self, due: Sequence[InvoiceJob]) -> list[Record]:
        return [job.posting(PLANNED if self.dry_run else "") for job in due]

    async def _check_posted(self, report: Report, before: Sequence[InvoiceJob], due: Sequence[InvoiceJob]) -> None:
        """Ask the ERP about the invoices that are posted, and report those that it doesn't show as posted.

        Args:
            report: of the postings.
            before: jobs that were posted before.
            due: jobs that were to be posted in this run.
        """
        in_effect = report.external_ids()
        just_posted = [job for job in due if job.key in in_effect and job.stage is not Stage.POSTED]
        for job in just_posted:
            job.invoice_id = in_effect[job.key]  # some ERPs give an invoice another id when it is posted
        await gather_bounded([self._see_posted(job) for job in (*before, *just_posted)])
        wrong = [job.contradiction() for job in before if not job.is_posted]
        report.replace(job.unseen() for job in just_posted if not job.is_posted)
        if wrong:
            report.add((await self.exchange("post_invoice", wrong)).outcomes)

    async def _see_posted(self, job: InvoiceJob) -> None:
        """Remember what the ERP says of an invoice that is posted now, or that a person has said to be."""
        if job.stage is not Stage.POSTED and not job.is_settled_in_erp:
            await self._ask(job)
        job.stage = Stage.POSTED
        if job.is_settled_in_erp:
            await asyncio.to_thread(job.billed.note, posted=posted_as(job.in_erp))

    async def _e_invoices(self) -> Report | None:
        """Write the e-invoices of posted invoices, where the laboratory wants them."""
        if self.dry_run:
            return None
        records, notes = [], []
        for job in self._jobs:
            invoice = job.billed.invoice(self.policy)
            if not job.is_posted or invoice is None:
                continue
            if job.billed.is_as_drawn_up(invoice):
                records.append(einvoice_record(job.key, invoice, job.billed.posted["number"]))
            else:
                notes.append(f"{job.key}: no e-invoice, because a person has changed the invoice in the ERP")
        report = await write_e_invoices(self.policy, self.client, records, replay=self.replay)
        if report is not None:
            report.notes += notes
        return report

    async def _payments(self) -> list[str]:
        payments = await asyncio.to_thread(Payments, self.client)
        posted = [job for job in self._jobs if job.is_posted and not job.billed.settled]
        notes = await payments.look({job.key: job.invoice_id for job in posted})
        if not self.dry_run:
            await asyncio.to_thread(self._keep_settled, payments)
        return notes

    def _keep_settled(self, payments: Payments) -> None:
        payments.keep()
        for key, word in payments.settled.items():
            InvoiceState(self.ledger, key).note(settled=word)


def _is_approved(request: ServiceRequest) -> bool:
    return rank(request.status) >= rank(APPROVED)


create_invoices = CreateInvoices.over
