"""Approved service requests become invoices in the ERP: drafted, compared with what the ERP computes, and posted.

A draft follows its service request; what a person should see first stays a draft, and its posting waits. A posted
invoice is never changed. What was drafted is remembered, so that a new price list changes no invoice that is posted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from pv_testing.billing import BillingPolicy, invoice_of
from pv_testing.billing.customers import PLANNED, Customers
from pv_testing.billing.einvoices import einvoice_record, write_e_invoices
from pv_testing.billing.invoice_jobs import MISSING, UNCLEAR, InvoiceJob, Stage, posting_of, stage_of
from pv_testing.billing.invoice_state import APPROVED, InvoiceState, posted_as
from pv_testing.billing.payments import Payments
from pv_testing.config import lab_zone
from pv_testing.core import keys
from pv_testing.core.concurrency import together
from pv_testing.core.errors import DataError, NotFound
from pv_testing.core.records import Outcome, Record
from pv_testing.domain.reading import read_execution
from pv_testing.domain.records import ServiceRequest
from pv_testing.domain.status import rank
from pv_testing.exchange.report import Report
from pv_testing.integrations.erp import ERPClient
from pv_testing.integrations.framework import FrameworkClient, gather_bounded
from pv_testing.workflow.sweep_backlog import SweepBacklog

SWEEP = "erp/invoices"
# Tests may be withdrawn, and invoices be forgotten, long after a request was closed.
LOOK_BACK_DAYS = 730


async def create_invoices(
    framework: FrameworkClient,
    erp: ERPClient,
    sr_ids: Iterable[int],
    *,
    replay: bool = False,
    dry_run: bool = False,
    policy: BillingPolicy | None = None,
    zone: tzinfo | None = None,
) -> list[Report]:
    """Create the invoice of every approved or closed service request, and post it where nothing speaks against it.

    Args:
        framework: where the requests are.
        erp: where the invoices are to be.
        sr_ids: the framework's ids of the requests; one that isn't approved yet is noted.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.
        policy: how the laboratory bills; ``billing.yaml`` and ``prices.yaml`` without it.
        zone: the laboratory's time zone; the configuration's without it.

    Returns:
        The reports of invoices, of their posting, and where there were any of new customers and e-invoices.
    """
    run = Invoicing(framework, erp, policy or BillingPolicy.read(), zone or lab_zone(), replay=replay, dry_run=dry_run)
    return await run.over(sr_ids)


class Invoicing:
    """One run over some service requests.

    Args:
        framework: where the requests are.
        erp: where the invoices are to be.
        policy: how the laboratory bills.
        zone: the laboratory's time zone.
        replay: try records again that wait for a person.
        dry_run: change nothing anywhere.
    """

    def __init__(
        self,
        framework: FrameworkClient,
        erp: ERPClient,
        policy: BillingPolicy,
        zone: tzinfo,
        *,
        replay: bool,
        dry_run: bool,
    ) -> None:
        self._framework = framework
        self._erp = erp
        self._policy = policy
        self._zone = zone
        self._replay = replay
        self._dry_run = dry_run

    async def over(self, sr_ids: Iterable[int]) -> list[Report]:
        """Bill the service requests and return the reports."""
        requests, missing = await self._framework.aservice_requests(sr_ids)
        approved = [each for each in requests if rank(each.status) >= rank(APPROVED)]
        jobs = await asyncio.to_thread(self._jobs, approved)
        await gather_bounded([self._look(job) for job in jobs])
        customers = await self._draw_up([job for job in jobs if job.writable])
        empty = [job for job in jobs if job.is_withdrawn_wholly]
        jobs = [job for job in jobs if job not in empty]
        invoices = await self._write(jobs)
        postings = await self._post(jobs)
        files = await self._e_invoices(jobs)
        invoices.notes += [f"{each.sr_number}: not approved yet" for each in requests if each not in approved]
        invoices.notes += [f"{job.key}: every test was withdrawn; there is nothing to bill" for job in empty]
        missing.add_to(invoices)
        postings.notes += await self._payments(jobs)
        if not self._dry_run:
            await self._release("invoice", [job.key for job in empty])
            await self._done_with(jobs, empty, files, missing.deleted)
        return [report for report in (invoices, postings, customers, files) if report is not None]

    def _jobs(self, requests: Sequence[ServiceRequest]) -> list[InvoiceJob]:
        """Take up what the ledger knows of the requests."""
        ledger, system = self._erp.ledger, self._erp.system
        numbers = [keys.compose(each.sr_number) for each in requests]
        ids, doubtful = ledger.external_ids(system, "invoice", numbers), ledger.in_doubt(system, "invoice", numbers)
        jobs = []
        for request in requests:
            posting = posting_of(ledger, request.sr_number)
            billed = InvoiceState(ledger, request.sr_number, keep=not self._dry_run)
            key = keys.compose(request.sr_number)
            invoice_id = (posting.external_id if posting else "") or ids.get(key, "")
            doubt = key in doubtful
            jobs.append(InvoiceJob(request, billed, invoice_id, stage_of(posting, billed), in_doubt=doubt))
        return jobs

    async def _look(self, job: InvoiceJob) -> None:
        """Ask the ERP about an invoice that isn't known to be posted, or of which it isn't known as what."""
        if job.invoice_id and job.stage is not Stage.SENT and not job.is_posted:
            await self._ask(job)

    async def _ask(self, job: InvoiceJob) -> None:
        """Ask the ERP about an invoice; one that is gone or can't be understood is one job's trouble, not all's."""
        try:
            job.in_erp = await self._erp.ainvoice(job.invoice_id)
        except NotFound:
            job.in_erp = {"status": MISSING}
        except DataError as error:
            job.in_erp = {"status": UNCLEAR, "reason": error.message}

    async def _draw_up(self, jobs: Sequence[InvoiceJob]) -> Report | None:
        """Compute the invoices anew that aren't posted, and remember them before they are sent."""
        if not jobs:
            return None
        customers = Customers(self._erp, self._policy, replay=self._replay, dry_run=self._dry_run)
        protocols, _ = await together(self._framework.aprotocols(), customers.learn([job.request for job in jobs]))
        await gather_bounded([self._compute(job, customers, protocols) for job in jobs])
        return customers.report

    async def _compute(self, job: InvoiceJob, customers: Customers, protocols: Mapping[str, Mapping[str, Any]]) -> None:
        rows = await self._framework.alist("list_executions", sr_id=job.request.id)
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
                self._policy,
                job.billed.approved_at(job.request),
                self._zone,
                customer_id=customers.id_of(job.request),
            )
        except DataError as error:
            job.problem = error
        else:
            job.drawn_up(invoice)

    async def _write(self, jobs: Sequence[InvoiceJob]) -> Report:
        """Create the drafts and change those that are there, then see what the ERP has made of them."""
        records = [record for job in jobs if (record := job.record()) is not None]
        report = await self._exchange("create_invoice", records)
        report.add(job.untouched() for job in jobs if job.record() is None)
        outcomes = {outcome.key: outcome for outcome in report.outcomes}
        await gather_bounded([self._compare(job, outcomes[job.key]) for job in jobs if job.record() is not None])
        return report

    async def _compare(self, job: InvoiceJob, outcome: Outcome) -> None:
        job.written_as(outcome)
        if self._dry_run or not outcome.result.in_effect:
            return
        if outcome.result.value != "unchanged" or not job.in_erp:
            await self._ask(job)
        await asyncio.to_thread(job.seen_in_erp)

    async def _post(self, jobs: Sequence[InvoiceJob]) -> Report:
        """Post what nothing speaks against; the rest waits, each with its reason."""
        due = [job for job in jobs if job.may_be_posted]
        records = await asyncio.to_thread(self._postings, due)
        if not self._dry_run:
            await self._release("invoice_posting", [job.key for job in due if job.is_settled_in_erp])
        report = await self._exchange("post_invoice", records)
        in_effect = report.external_ids()
        before = [job for job in jobs if job.stage is Stage.POSTED]
        posted = [*before, *(job for job in due if job.key in in_effect)]
        if not self._dry_run:
            just_posted = [job for job in posted if job.stage is not Stage.POSTED]
            await gather_bounded([self._see_posted(job) for job in posted])
            wrong = [job.contradiction() for job in before if not job.is_posted]
            report.replace(job.unseen() for job in just_posted if not job.is_posted)
            report.add((await self._exchange("post_invoice", wrong)).outcomes if wrong else ())
        report.add(job.untouched() for job in before if self._dry_run or job.is_posted)
        return report

    def _postings(self, due: Sequence[InvoiceJob]) -> list[Record]:
        return [job.posting(PLANNED if self._dry_run else "") for job in due]

    async def _release(self, kind: str, keys: Sequence[str]) -> None:
        """Let wait no longer what a person has posted, even if the ERP refused us that, or what is billed no more."""
        await asyncio.to_thread(self._erp.ledger.release, self._erp.system, kind, keys, owner=self._erp.owner)

    async def _see_posted(self, job: InvoiceJob) -> None:
        """Remember what the ERP says of an invoice that is posted now, or that a person has said to be."""
        if job.stage is not Stage.POSTED and not job.is_settled_in_erp:
            await self._ask(job)
        job.stage = Stage.POSTED
        if job.is_settled_in_erp:
            await asyncio.to_thread(job.billed.note, posted=posted_as(job.in_erp))

    async def _e_invoices(self, jobs: Sequence[InvoiceJob]) -> Report | None:
        """Write the e-invoices of posted invoices, where the laboratory wants them."""
        if self._dry_run:
            return None
        records, notes = [], []
        for job in jobs:
            invoice = job.billed.invoice(self._policy)
            if not job.is_posted or invoice is None:
                continue
            if job.billed.is_as_drawn_up(invoice):
                records.append(einvoice_record(job.key, invoice, job.billed.posted["number"]))
            else:
                notes.append(f"{job.key}: no e-invoice, because a person has changed the invoice in the ERP")
        report = await write_e_invoices(self._policy, self._erp, records, replay=self._replay)
        if report is not None:
            report.notes += notes
        return report

    async def _payments(self, jobs: Sequence[InvoiceJob]) -> list[str]:
        payments = await asyncio.to_thread(Payments, self._erp)
        posted = [job for job in jobs if job.is_posted and not job.billed.settled]
        notes = await payments.look({job.key: job.invoice_id for job in posted})
        if not self._dry_run:
            await asyncio.to_thread(self._keep_settled, payments)
        return notes

    def _keep_settled(self, payments: Payments) -> None:
        payments.keep()
        for key, word in payments.settled.items():
            InvoiceState(self._erp.ledger, key).note(settled=word)

    async def _done_with(
        self, jobs: Sequence[InvoiceJob], empty: Sequence[InvoiceJob], files: Report | None, deleted: Sequence[int]
    ) -> None:
        waiting = {outcome.key for outcome in files.not_in_effect()} if files else set()
        done = [(job.request, job.is_posted and job.key not in waiting) for job in jobs]
        done += [(job.request, True) for job in empty]
        memory = await asyncio.to_thread(SweepBacklog, self._erp.ledger, SWEEP, LOOK_BACK_DAYS)
        await memory.keep(done, deleted)

    async def _exchange(self, operation: str, records: Sequence[Any]) -> Report:
        return await self._erp.aexchange(operation, records, replay=self._replay, dry_run=self._dry_run)
