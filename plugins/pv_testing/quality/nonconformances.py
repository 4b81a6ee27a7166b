"""Failed executions of the framework become reports of non-conformance in the QMS, one for each."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.exchange.report import Report
from pv_testing.integrations.framework import gather_bounded
from pv_testing.integrations.qms import QMSClient
from pv_testing.quality.judgement import Judgement, judge
from pv_testing.quality.policy import QualityPolicy
from pv_testing.quality.reports import nonconformance_record
from pv_testing.quality.retests import EarlierReport, earlier_tests
from pv_testing.workflow.execution_checkpoint import ExecutionCheckpoint
from pv_testing.workflow.executions import CompletedExecutions, read_completed
from pv_testing.workflow.nc_input_cache import NcInputCache
from pv_testing.workflow.selection import UNDER_TEST
from pv_testing.workflow.step import Step

SWEEP = "qms/nc"
KIND = "nc"

IN_DOUBT = (
    "passes now, but an earlier attempt may have made its report: look in the QMS; confirm the report if it is there, "
    "else release it with --absent"
)


@dataclass
class _JudgedRequest:
    """The completed executions of one service request, judged.

    Attributes:
        completed: the executions, as they were read.
        reported: the facts of their reports, as the ledger remembers them.
        earlier: for each of them those before it of the same protocol on the same module, the latest first.
        judged: those that were read this time, with their judgements.
        repeated: those whose report was written from the same facts already.
        unlinked: retests whose earlier report isn't in effect yet, so that they can't refer to it.
    """

    completed: CompletedExecutions
    reported: NcInputCache
    earlier: Mapping[str, Sequence[str]]
    judged: Mapping[str, tuple[Execution, Judgement]]
    repeated: set[str] = field(default_factory=set)
    unlinked: set[str] = field(default_factory=set)

    @property
    def due(self) -> list[str]:
        """Executions to be reported, or to wait because they can't be judged."""
        return [name for name, (_, judgement) in self.judged.items() if judgement.failed or judgement.problem]

    @property
    def passing(self) -> list[str]:
        """Executions that were read and pass."""
        return [name for name, (_, judgement) in self.judged.items() if judgement.passes]

    @property
    def unread(self) -> set[str]:
        """Executions that could not be read."""
        return {outcome.key for outcome in self.completed.unread}

    def unchanged(self, known: Mapping[str, str]) -> Iterator[Outcome]:
        """Give the outcomes of the reports of which there is nothing to be sent."""
        for name in sorted(self.completed.settled | self.repeated):
            if name in known:
                yield Outcome(name, Result.UNCHANGED, known[name])


class ReportNonConformances(Step[QMSClient, Report]):
    """Report every completed execution of the service requests that failed; nothing here ever closes a report.

    An execution that is neither a clear PASS nor a FAIL is noted for a person. A report whose execution has changed is
    changed; one whose execution passes after all stays, and is noted. Other rules apply to later reports only. Each
    retest is reported after the test that it refers to. A closed request is finished when all its executions have
    ended and every report is in effect.
    """

    sweep = SWEEP
    executions = "COMPLETE"
    checkpoint = "qms/nc"
    begins = True

    def states(self) -> Sequence[str]:
        """Return the states from the first execution on."""
        return UNDER_TEST

    async def carry(self) -> Report:
        """Report the executions that aren't settled."""
        self._policy = QualityPolicy.read()
        self._parts: list[_JudgedRequest] = await gather_bounded(
            [self._read(request) for request in self.requests], limit=2
        )
        self._by_number = {part.completed.request.sr_number: part for part in self._parts}
        self._protocols = await self.framework.aprotocols() if any(part.due for part in self._parts) else {}
        known = await self.client.anc_ids(self._names("earlier"))
        passing = self._names("passing")
        arguments = (self.client.system, KIND, passing | known.keys())
        self._in_doubt: AbstractSet[str] = await asyncio.to_thread(self.ledger.in_doubt, *arguments)
        self._nc_ids = dict(known)
        self._certain = known.keys() - self._in_doubt
        report = await self._report_in_rounds()
        self._outcomes = list(report.outcomes)
        for part in self._parts:
            report.notes += _notes(part, known)
            report.add(part.completed.unread)
            report.add(part.unchanged(known))
        for part in self._parts:
            report.notes += part.completed.notes()
        for name in sorted(passing & self._in_doubt):
            report.add([Outcome(name, Result.QUARANTINED, code="IN_DOUBT", reason=IN_DOUBT)])
        return report

    async def _read(self, request: ServiceRequest) -> _JudgedRequest:
        """Read the completed executions of a request but for those that are settled, and judge them."""
        number = request.sr_number
        contract = self.client.contract.digest
        checkpoint = await asyncio.to_thread(
            ExecutionCheckpoint, self.ledger, f"{self.checkpoint}/{number}", contract, anew=self.replay
        )
        reported = await asyncio.to_thread(NcInputCache, self.ledger, f"qms/nc_facts/{number}")
        completed = await read_completed(self.framework, request, checkpoint)
        judged = {execution.execution_id: (execution, judge(execution)) for execution in completed.read}
        return _JudgedRequest(completed, reported, earlier_tests(completed.listed.complete), judged)

    def _names(self, of: str) -> set[str]:
        names: set[str] = set()
        for part in self._parts:
            names.update(getattr(part, of))
        return names

    async def _report_in_rounds(self) -> Report:
        """Report round by round; all but retests are in the first one."""
        rounds = self._rounds()
        report = self.report("create_nc_report")
        for place in sorted(rounds):
            records: list[Record] = []
            for part, execution_id in rounds[place]:
                earlier = self._earlier(part, execution_id)
                if not self._repeats(part, execution_id, earlier):
                    records.append(self._record(part, execution_id, earlier))
            for outcome in await self.exchange_into(report, records):
                if outcome.result.in_effect and outcome.external_id:
                    self._nc_ids[outcome.key] = outcome.external_id
            if report.error is not None:
                break
        report.close()
        return report

    def _rounds(self) -> Mapping[int, list[tuple[_JudgedRequest, str]]]:
        rounds: dict[int, list[tuple[_JudgedRequest, str]]] = defaultdict(list)
        for part in self._parts:
            due = set(part.due)
            for execution_id in part.due:
                before = due.intersection(part.earlier.get(execution_id, ()))
                rounds[len(before)].append((part, execution_id))
        return rounds

    def _earlier(self, part: _JudgedRequest, execution_id: str) -> EarlierReport | None:
        """Return the report that a retest refers to, and note where it isn't made yet."""
        before = part.earlier.get(execution_id, ())
        if any(name in part.unread or (name in part.due and name not in self._nc_ids) for name in before):
            part.unlinked.add(execution_id)
        for name in before:
            if name in self._nc_ids:
                return EarlierReport(name, self._nc_ids[name])
        return None

    def _repeats(self, part: _JudgedRequest, execution_id: str, earlier: EarlierReport | None) -> bool:
        """Say whether a report is in effect that was written from the same facts, perhaps under other rules."""
        facts = {**part.judged[execution_id][0].raw, "earlier": list(earlier or ())}
        facts.pop("updated_at", None)
        same = part.reported.has(execution_id, facts)
        if same and execution_id in self._certain:
            part.repeated.add(execution_id)
        return execution_id in part.repeated

    def _record(self, part: _JudgedRequest, execution_id: str, earlier: EarlierReport | None) -> Record:
        execution, judgement = part.judged[execution_id]
        protocol = self._protocols.get(execution.protocol_id)
        request = part.completed.request
        return nonconformance_record(execution, request, protocol, judgement, self._policy, earlier)

    def names_in_keys(self, sr_number: str) -> set[str]:
        """Return the number of a request and the ids of its executions."""
        return {sr_number} | (self._by_number[sr_number].completed.names if sr_number in self._by_number else set())

    def is_done(self, request: ServiceRequest) -> bool:
        """Say whether nothing of a request waits, nor is waited for although it is closed."""
        part = self._by_number[request.sr_number]
        in_effect = self.waiting.isdisjoint(part.earlier) and self._in_doubt.isdisjoint(part.earlier)
        return in_effect and not part.unlinked and part.completed.may_be_finished

    async def remember(self) -> None:
        """Remember which executions are settled, then how far the requests are."""
        await asyncio.to_thread(self._keep)
        await super().remember()

    def _keep(self) -> None:
        """Remember the settled executions; one that waited, and is as it was or passes now, waits no more."""
        for part in self._parts:
            done = [name for name in (*part.passing, *part.repeated) if name not in self._in_doubt]
            self.ledger.release(self.client.system, KIND, done, owner=self.client.owner, automatic=True)
            linked = [outcome for outcome in self._outcomes if outcome.key not in part.unlinked]
            part.completed.checkpoint.keep(linked, also=[*done, *part.completed.settled])
            part.reported.keep(self._outcomes)


def _notes(part: _JudgedRequest, known: Mapping[str, str]) -> list[str]:
    """Say which executions a person should look at, and why."""
    notes = []
    for execution_id, (execution, judgement) in part.judged.items():
        what = f"execution {execution_id} ({execution.protocol_id} on {execution.serial_number})"
        if judgement.remark:
            fate = "reported; correct one of them" if judgement.failed else "no non-conformance; please review"
            notes.append(f"{what}: {judgement.remark}; {fate}")
        elif judgement.passes:
            notes += _still_open(part, execution_id, what, known)
    return notes


def _still_open(part: _JudgedRequest, execution_id: str, what: str, known: Mapping[str, str]) -> list[str]:
    if execution_id in known:
        return [f"{what} passes now; its non-conformance {known[execution_id]} stays until a person closes it"]
    for before in part.earlier.get(execution_id, ()):
        if before in known:
            nc = f"the non-conformance {known[before]} of execution {before}"
            return [f"{what}, a retest, passes; {nc} stays as it is"]
    return []


report_non_conformances = ReportNonConformances.over
