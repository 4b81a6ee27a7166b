"""Failed executions of the framework become reports of non-conformance in the QMS, one for each."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.exchange.report import Report
from pv_testing.integrations.framework import FrameworkClient, gather_bounded
from pv_testing.integrations.qms import QMSClient
from pv_testing.quality.judgement import Judgement, judge
from pv_testing.quality.policy import QualityPolicy
from pv_testing.quality.reports import nonconformance_record
from pv_testing.quality.retests import EarlierReport, earlier_tests
from pv_testing.workflow.execution_checkpoint import ExecutionCheckpoint
from pv_testing.workflow.executions import ListedExecutions, list_complete
from pv_testing.workflow.nc_input_cache import NcInputCache
from pv_testing.workflow.sweep_backlog import SweepBacklog

SWEEP = "qms/nc"

IN_DOUBT = (
    "passes now, but an earlier attempt may have made its report: look in the QMS; confirm the report if it is there, "
    "else release it with --absent"
)


async def report_non_conformances(
    framework: FrameworkClient,
    qms: QMSClient,
    sr_ids: Iterable[int],
    *,
    replay: bool = False,
    dry_run: bool = False,
) -> Report:
    """Report every completed execution of the service requests that failed; nothing here ever closes a report.

    What is neither a clear PASS nor a FAIL is noted for a person. A report whose execution has changed is changed; one
    whose execution passes after all stays, and is noted. Other rules apply to later reports only.

    Args:
        framework: where the executions are.
        qms: where the reports are to be.
        sr_ids: the framework's ids of the requests.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.
    """
    policy = QualityPolicy.read()
    sweep = await asyncio.to_thread(SweepBacklog, qms.ledger, SWEEP)
    requests, missing = await framework.aservice_requests(sr_ids)
    if not dry_run:
        await sweep.begin(requests, missing.deleted)
    batches = await gather_bounded([_read(framework, qms, request, anew=replay) for request in requests], limit=2)
    known = await qms.anc_ids({execution_id for batch in batches for execution_id in batch.earlier})
    protocols = await framework.aprotocols() if any(batch.due for batch in batches) else {}
    passing = {name for batch in batches for name in batch.passing}
    doubtful = await asyncio.to_thread(qms.ledger.in_doubt, qms.system, "nc", passing | set(known))
    certain = {name: nc_id for name, nc_id in known.items() if name not in doubtful}
    steps = _Reporting(qms, policy, protocols, batches, certain, dict(known))
    report = await steps.run(replay=replay, dry_run=dry_run)
    report.notes += [note for batch in batches for note in _notes(batch, known)]
    report.notes += [note for batch in batches for note in batch.listed.notes(batch.request)]
    missing.add_to(report)
    if not dry_run:
        await asyncio.to_thread(_keep, qms, batches, report.outcomes, doubtful)
        waiting = {outcome.key for outcome in report.not_in_effect()} | doubtful
        done = {batch.request.sr_number for batch in batches if report.error is None and batch.is_done(waiting)}
        await sweep.settle(requests, done)
    report.add(outcome for batch in batches for outcome in (*batch.unread.values(), *batch.unchanged(known)))
    uncertain = sorted(passing & doubtful)
    report.add(Outcome(name, Result.QUARANTINED, code="IN_DOUBT", reason=IN_DOUBT) for name in uncertain)
    return report


@dataclass
class _Batch:
    """The completed executions of one service request.

    Attributes:
        request: the service request.
        listed: what the framework lists of it.
        unread: the outcomes of those that could not be read, by execution.
        settled: what the ledger remembers of their rows.
        reported: what it remembers of the facts of their reports.
        earlier: for each of them those before it of the same protocol on the same module, the latest first.
        read: those that were read this time, with their judgements.
        repeated: those whose report was written from the same facts already.
        unlinked: retests whose earlier report isn't in effect yet, so that they can't refer to it.
    """

    request: ServiceRequest
    listed: ListedExecutions
    unread: Mapping[str, Outcome]
    settled: ExecutionCheckpoint
    reported: NcInputCache
    earlier: Mapping[str, Sequence[str]]
    read: Mapping[str, tuple[Execution, Judgement]]
    repeated: set[str] = field(default_factory=set)
    unlinked: set[str] = field(default_factory=set)

    @property
    def due(self) -> list[str]:
        """Executions to be reported, or to wait because they can't be judged."""
        return [name for name, (_, judgement) in self.read.items() if judgement.failed or judgement.problem]

    @property
    def passing(self) -> list[str]:
        """Executions that were read and pass."""
        return [name for name, (_, judgement) in self.read.items() if judgement.passes]

    @property
    def skipped(self) -> list[str]:
        """Executions that weren't read because they are settled."""
        return [name for name in self.earlier if name not in self.read and name not in self.unread]

    def is_done(self, waiting: AbstractSet[str]) -> bool:
        """Say whether nothing of the request waits, nor is waited for although it is closed.

        Args:
            waiting: executions whose reports are not in effect, or of which nobody knows.
        """
        complete = not self.unlinked and not self.unread and not self.listed.under_way
        return complete and waiting.isdisjoint(self.earlier)

    def unchanged(self, known: Mapping[str, str]) -> list[Outcome]:
        """Return the outcomes of the reports of which there is nothing to be sent."""
        same = sorted({*self.skipped, *self.repeated})
        return [Outcome(name, Result.UNCHANGED, known[name]) for name in same if name in known]


async def _read(framework: FrameworkClient, qms: QMSClient, request: ServiceRequest, *, anew: bool) -> _Batch:
    """Read the completed executions of a request but for those that are settled."""
    number, contract = request.sr_number, qms.contract.digest
    settled = await asyncio.to_thread(ExecutionCheckpoint, qms.ledger, f"qms/nc/{number}", contract, anew=anew)
    reported = await asyncio.to_thread(NcInputCache, qms.ledger, f"qms/nc_facts/{number}")
    listed = await list_complete(framework, request)
    unsettled = [each.raw for each in listed.complete if not settled.has(each.raw)]
    executions, unread = await framework.aall_with_results(unsettled)
    earlier = earlier_tests(listed.complete)
    judged = {each.execution_id: (each, judge(each)) for each in executions}
    return _Batch(
        request, listed, {each.key: each for each in (*listed.unread, *unread)}, settled, reported, earlier, judged
    )


@dataclass
class _Reporting:
    """Reports failed executions, each retest after the test that it refers to.

    Args:
        qms: where the reports are to be.
        policy: the laboratory's rules.
        protocols: by identifier.
        batches: the executions.
        certain: ids of the reports of which surely no other version is in effect, by execution.
        nc_ids: ids of all known reports; those that are made are added.
    """

    qms: QMSClient
    policy: QualityPolicy
    protocols: Mapping[str, Mapping[str, Any]]
    batches: Sequence[_Batch]
    certain: Mapping[str, str]
    nc_ids: dict[str, str]

    async def run(self, *, replay: bool, dry_run: bool) -> Report:
        """Report round by round; all but retests are in the first one."""
        rounds = self._rounds()
        report = Report("create_nc_report", self.qms.system, self.qms.config.provider, dry_run=dry_run)
        for place in sorted(rounds) or [0]:
            records = [
                self._record(batch, execution_id, earlier)
                for batch, execution_id in rounds[place]
                if not self._repeats(batch, execution_id, earlier := self._earlier(batch, execution_id))
            ]
            made = await self.qms.aexchange("create_nc_report", records, replay=replay, dry_run=dry_run)
            report.add(made.outcomes)
            report.error = made.error
            if made.error is not None:
                break
            self.nc_ids |= {key: nc_id for key, nc_id in made.external_ids().items() if nc_id}
        report.close()
        return report

    def _rounds(self) -> Mapping[int, list[tuple[_Batch, str]]]:
        rounds: dict[int, list[tuple[_Batch, str]]] = defaultdict(list)
        for batch in self.batches:
            due = set(batch.due)
            for execution_id in batch.due:
                before = sum(name in due for name in batch.earlier.get(execution_id, ()))
                rounds[before].append((batch, execution_id))
        return rounds

    def _earlier(self, batch: _Batch, execution_id: str) -> EarlierReport | None:
        """Return the report that a retest refers to, and note where it isn't made yet."""
        before = batch.earlier.get(execution_id, ())
        if any(name in batch.unread or (name in batch.due and name not in self.nc_ids) for name in before):
            batch.unlinked.add(execution_id)
        return next((EarlierReport(name, self.nc_ids[name]) for name in before if name in self.nc_ids), None)

    def _repeats(self, batch: _Batch, execution_id: str, earlier: EarlierReport | None) -> bool:
        """Say whether a report is in effect that was written from the same facts, perhaps under other rules."""
        raw = batch.read[execution_id][0].raw
        facts = {name: said for name, said in raw.items() if name != "updated_at"}
        same = batch.reported.has(execution_id, {**facts, "earlier": list(earlier or ())})
        if same and execution_id in self.certain:
            batch.repeated.add(execution_id)
        return execution_id in batch.repeated

    def _record(self, batch: _Batch, execution_id: str, earlier: EarlierReport | None) -> Record:
        execution, judgement = batch.read[execution_id]
        protocol = self.protocols.get(execution.protocol_id)
        return nonconformance_record(execution, batch.request, protocol, judgement, self.policy, earlier)


def _notes(batch: _Batch, known: Mapping[str, str]) -> list[str]:
    """Say what a person should look at."""
    notes = []
    for execution_id, (execution, judgement) in batch.read.items():
        what = f"execution {execution_id} ({execution.protocol_id} on {execution.serial_number})"
        if judgement.remark:
            fate = "reported; correct one of them" if judgement.failed else "no non-conformance; please review"
            notes.append(f"{what}: {judgement.remark}; {fate}")
        elif judgement.passes:
            notes += _still_open(batch, execution_id, what, known)
    return notes


def _still_open(batch: _Batch, execution_id: str, what: str, known: Mapping[str, str]) -> list[str]:
    if execution_id in known:
        return [f"{what} passes now; its non-conformance {known[execution_id]} stays until a person closes it"]
    before = next((name for name in batch.earlier.get(execution_id, ()) if name in known), None)
    if before is None:
        return []
    return [f"{what}, a retest, passes; the non-conformance {known[before]} of execution {before} stays as it is"]


def _keep(qms: QMSClient, batches: Iterable[_Batch], outcomes: Sequence[Outcome], doubtful: AbstractSet[str]) -> None:
    """Remember what is settled; what waited for a person, and is as it was before or passes now, waits no more."""
    for batch in batches:
        done = [name for name in (*batch.passing, *batch.repeated) if name not in doubtful]
        qms.ledger.release(qms.system, "nc", done, owner=qms.owner, automatic=True)
        linked = [outcome for outcome in outcomes if outcome.key not in batch.unlinked]
        batch.settled.keep(linked, also=[*done, *batch.skipped])
        batch.reported.keep(outcomes)
