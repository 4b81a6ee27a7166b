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
from pv_testing.billing.billed import APPROVED, Billed, posted_as
from pv_testing.billing.cases import MISSING, UNCLEAR, Case, Stage, posting_of, stage_of
from pv_testing.billing.customers import PLANNED, Customers
from pv_testing.billing.einvoices import einvoice_record, write_e_invoices
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
from pv_testing.workflow.reported import in_doubt
from pv_testing.workflow.unfinished import Unfinished

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
        cases = await asyncio.to_thread(self._cases, approved)
        await gather_bounded([self._look(case) for case in cases])
        customers = await self._draw_up([case for case in cases if case.writable])
        empty = [case for case in cases if case.is_withdrawn_wholly]
        cases = [case for case in cases if case not in empty]
        invoices = await self._write(cases)
        postings = await self._post(cases)
        files = await self._e_invoices(cases)
        invoices.notes += [f"{each.sr_number}: not approved yet" for each in requests if each not in approved]
        invoices.notes += [f"{case.key}: every test was withdrawn; there is nothing to bill" for case in empty]
        missing.tell(invoices)
        postings.notes += await self._payments(cases)
        if not self._dry_run:
            await self._release("invoice", [case.key for case in empty])
            await self._done_with(cases, empty, files, missing.deleted)
        return [report for report in (invoices, postings, customers, files) if report is not None]

    def _cases(self, requests: Sequence[ServiceRequest]) -> list[Case]:
        """Take up what the ledger knows of the requests."""
        ledger, system = self._erp.ledger, self._erp.system
        numbers = [keys.compose(each.sr_number) for each in requests]
        ids, doubtful = ledger.external_ids(system, "invoice", numbers), in_doubt(ledger, system, "invoice", numbers)
        cases = []
        for request in requests:
            posting = posting_of(ledger, request.sr_number)
            billed = Billed(ledger, request.sr_number, keep=not self._dry_run)
            key = keys.compose(request.sr_number)
            invoice_id = (posting.external_id if posting else "") or ids.get(key, "")
            doubt = key in doubtful
            cases.append(Case(request, billed, invoice_id, stage_of(posting, billed), in_doubt=doubt))
        return cases

    async def _look(self, case: Case) -> None:
        """Ask the ERP about an invoice that isn't known to be posted, or of which it isn't known as what."""
        if case.invoice_id and case.stage is not Stage.SENT and not case.is_posted:
            await self._ask(case)

    async def _ask(self, case: Case) -> None:
        """Ask the ERP about an invoice; one that is gone or can't be understood is one case's trouble, not all's."""
        try:
            case.in_erp = await self._erp.ainvoice(case.invoice_id)
        except NotFound:
            case.in_erp = {"status": MISSING}
        except DataError as error:
            case.in_erp = {"status": UNCLEAR, "reason": error.message}

    async def _draw_up(self, cases: Sequence[Case]) -> Report | None:
        """Compute the invoices anew that aren't posted, and remember them before they are sent."""
        if not cases:
            return None
        customers = Customers(self._erp, self._policy, replay=self._replay, dry_run=self._dry_run)
        protocols, _ = await together(self._framework.aprotocols(), customers.learn([case.request for case in cases]))
        await gather_bounded([self._compute(case, customers, protocols) for case in cases])
        return customers.report

    async def _compute(self, case: Case, customers: Customers, protocols: Mapping[str, Mapping[str, Any]]) -> None:
        rows = await self._framework.alist("list_executions", sr_id=case.request.id)
        await asyncio.to_thread(self._draw, case, rows, customers, protocols)

    def _draw(
        self,
        case: Case,
        rows: Sequence[Mapping[str, Any]],
        customers: Customers,
        protocols: Mapping[str, Mapping[str, Any]],
    ) -> None:
        try:
            invoice = invoice_of(
                case.request,
                [read_execution(row) for row in rows],
                protocols,
                self._policy,
                case.billed.approved_at(case.request),
                self._zone,
                customer_id=customers.id_of(case.request),
            )
        except DataError as error:
            case.problem = error
        else:
            case.drawn_up(invoice)

    async def _write(self, cases: Sequence[Case]) -> Report:
        """Create the drafts and change those that are there, then see what the ERP has made of them."""
        records = [record for case in cases if (record := case.record()) is not None]
        report = await self._exchange("create_invoice", records)
        report.add(case.untouched() for case in cases if case.record() is None)
        outcomes = {outcome.key: outcome for outcome in report.outcomes}
        await gather_bounded([self._compare(case, outcomes[case.key]) for case in cases if case.record() is not None])
        return report

    async def _compare(self, case: Case, outcome: Outcome) -> None:
        case.written_as(outcome)
        if self._dry_run or not outcome.result.in_effect:
            return
        if outcome.result.value != "unchanged" or not case.in_erp:
            await self._ask(case)
        await asyncio.to_thread(case.seen_in_erp)

    async def _post(self, cases: Sequence[Case]) -> Report:
        """Post what nothing speaks against; the rest waits, each with its reason."""
        due = [case for case in cases if case.may_be_posted]
        records = await asyncio.to_thread(self._postings, due)
        if not self._dry_run:
            await self._release("invoice_posting", [case.key for case in due if case.is_settled_in_erp])
        report = await self._exchange("post_invoice", records)
        in_effect = report.external_ids()
        before = [case for case in cases if case.stage is Stage.POSTED]
        posted = [*before, *(case for case in due if case.key in in_effect)]
        if not self._dry_run:
            just_posted = [case for case in posted if case.stage is not Stage.POSTED]
            await gather_bounded([self._see_posted(case) for case in posted])
            wrong = [case.contradiction() for case in before if not case.is_posted]
            report.replace(case.unseen() for case in just_posted if not case.is_posted)
            report.add((await self._exchange("post_invoice", wrong)).outcomes if wrong else ())
        report.add(case.untouched() for case in before if self._dry_run or case.is_posted)
        return report

    def _postings(self, due: Sequence[Case]) -> list[Record]:
        return [case.posting(PLANNED if self._dry_run else "") for case in due]

    async def _release(self, kind: str, keys: Sequence[str]) -> None:
        """Let wait no longer what a person has posted, even if the ERP refused us that, or what is billed no more."""
        await asyncio.to_thread(self._erp.ledger.release, self._erp.system, kind, keys, owner=self._erp.owner)

    async def _see_posted(self, case: Case) -> None:
        """Remember what the ERP says of an invoice that is posted now, or that a person has said to be."""
        if case.stage is not Stage.POSTED and not case.is_settled_in_erp:
            await self._ask(case)
        case.stage = Stage.POSTED
        if case.is_settled_in_erp:
            await asyncio.to_thread(case.billed.note, posted=posted_as(case.in_erp))

    async def _e_invoices(self, cases: Sequence[Case]) -> Report | None:
        """Write the e-invoices of posted invoices, where the laboratory wants them."""
        if self._dry_run:
            return None
        records, notes = [], []
        for case in cases:
            invoice = case.billed.invoice(self._policy)
            if not case.is_posted or invoice is None:
                continue
            if case.billed.is_as_drawn_up(invoice):
                records.append(einvoice_record(case.key, invoice, case.billed.posted["number"]))
            else:
                notes.append(f"{case.key}: no e-invoice, because a person has changed the invoice in the ERP")
        report = await write_e_invoices(self._policy, self._erp, records, replay=self._replay)
        if report is not None:
            report.notes += notes
        return report

    async def _payments(self, cases: Sequence[Case]) -> list[str]:
        payments = await asyncio.to_thread(Payments, self._erp)
        posted = [case for case in cases if case.is_posted and not case.billed.settled]
        notes = await payments.look({case.key: case.invoice_id for case in posted})
        if not self._dry_run:
            await asyncio.to_thread(self._keep_settled, payments)
        return notes

    def _keep_settled(self, payments: Payments) -> None:
        payments.keep()
        for key, word in payments.settled.items():
            Billed(self._erp.ledger, key).note(settled=word)

    async def _done_with(
        self, cases: Sequence[Case], empty: Sequence[Case], files: Report | None, deleted: Sequence[int]
    ) -> None:
        waiting = {outcome.key for outcome in files.not_in_effect()} if files else set()
        done = [(case.request, case.is_posted and case.key not in waiting) for case in cases]
        done += [(case.request, True) for case in empty]
        memory = await asyncio.to_thread(Unfinished, self._erp.ledger, SWEEP, LOOK_BACK_DAYS)
        await memory.keep(done, deleted)

    async def _exchange(self, operation: str, records: Sequence[Any]) -> Report:
        return await self._erp.aexchange(operation, records, replay=self._replay, dry_run=self._dry_run)
