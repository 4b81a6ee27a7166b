"""Failures that recur become findings, and those that a person has approved become CAPAs in the QMS, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from itertools import chain
from typing import Any

from pv_testing.core.concurrency import together
from pv_testing.core.errors import DataError
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.names import some
from pv_testing.domain.reading import first, read_service_request, text
from pv_testing.domain.status import COMPLETE
from pv_testing.exchange.report import Report
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.integrations.qms import QMSClient
from pv_testing.integrations.qms_records import attachment_record, capa_record
from pv_testing.quality.analysis import Analysis, Analyst, Names
from pv_testing.quality.capa_policy import CapaPolicy
from pv_testing.quality.decisions import ApprovalAnswer, Decisions
from pv_testing.quality.earlier_capas import earlier_capas
from pv_testing.quality.evidence import evidence
from pv_testing.quality.finding import CapaFinding
from pv_testing.quality.history import CountedExecution, History, model_name, read_trials
from pv_testing.quality.judgement import failed_criteria

ATTACH = "attach_file"
SHOWN = 5


@dataclass(slots=True)
class Findings:
    """The result of a day's analysis.

    Attributes:
        analysis: findings and notes.
        questions: those findings on which a person is to decide.
    """

    analysis: Analysis
    questions: list[CapaFinding] = field(default_factory=list)

    def table(self) -> str:
        """The closing table of the task log: failures by what they have in common, findings and notes."""
        analysis = self.analysis
        lines = [f"{analysis.failures} failed executions of {analysis.modules} modules in the window"]
        for kind, rows in analysis.strata.items():
            for row in rows[:SHOWN]:
                lines.append(f"  {kind:<10} {row.name}: {row.modules} modules")
            if len(rows) > SHOWN:
                lines.append(f"  {kind:<10} … and {len(rows) - SHOWN} more")
        asked = {finding.key for finding in self.questions}
        for finding in analysis.findings:
            question = "a person is asked" if finding.key in asked else "no person is asked"
            lines.append(f"  finding {finding.key} ({finding.digest[:12]}), {question}:")
            lines += [f"    {line}" for line in str(finding.capa["problem_statement"]).splitlines()]
        lines += [f"  note: {note}" for note in analysis.notes]
        return "\n".join(lines)


async def find_findings(
    framework: FrameworkClient,
    qms: QMSClient,
    *,
    at: datetime,
    service_request: str = "",
    dry_run: bool = False,
) -> Findings:
    """Look for failures that recur, and keep the findings for those who decide on them.

    The framework is asked for listings, and for the results of the window's failures.

    Args:
        framework: where the executions are.
        qms: where CAPAs are; its ledger keeps the findings.
        at: the moment of the run, in the laboratory's time zone.
        service_request: number of the only service request whose failures are of interest; all without it.
        dry_run: keep nothing.
    """
    policy, decisions = CapaPolicy.read(), Decisions(qms.ledger)
    approved, problems = await asyncio.to_thread(_approved, decisions)
    history, notes = await _history(framework, policy, at)
    protocols = await framework.aprotocols()
    recent = history.between(at - timedelta(days=policy.longest_days - policy.baseline_days), at + timedelta(seconds=1))
    names = Names(
        protocols={name: text(protocol.get("name")) for name, protocol in protocols.items()},
        ncs=await qms.anc_ids({trial.execution_id for trial in recent if trial.failed}),
    )
    earlier, unclear = await earlier_capas(qms, decisions, policy, at, approved.values())
    analysis = Analyst(history, policy, at, earlier, names).analyse()
    analysis.notes[:0] = [*problems, *notes, *unclear]
    analysis.findings = await asyncio.to_thread(_all_wanted, analysis, decisions, service_request)
    if not dry_run:
        await asyncio.to_thread(decisions.ask, analysis.findings, approved)
        if not policy.approval.required:
            await asyncio.to_thread(_approve_all, decisions, analysis.findings, at, qms.owner)
    asks = policy.approval.required and not dry_run
    return Findings(analysis, analysis.findings if asks else [])


def _approved(decisions: Decisions) -> tuple[dict[str, CapaFinding], list[str]]:
    """Return approved findings whose CAPA isn't complete yet, and what is wrong with those that can't be used."""
    approved, problems = {}, []
    for digest in decisions.asked():
        try:
            answer = decisions.answer_of(digest)
            if answer is not None and answer.approved:
                approved[digest] = decisions.finding(digest)
        except DataError as error:
            problems.append(str(error))
    return approved, problems


def _approve_all(decisions: Decisions, findings: Iterable[CapaFinding], at: datetime, owner: str) -> None:
    for finding in findings:
        decisions.answer(finding.digest, ApprovalAnswer(approved=True, at=at.isoformat()), owner=owner)


def _all_wanted(analysis: Analysis, decisions: Decisions, service_request: str) -> list[CapaFinding]:
    return [finding for finding in analysis.findings if _wanted(finding, decisions, service_request, analysis.notes)]


def _wanted(finding: CapaFinding, decisions: Decisions, service_request: str, notes: list[str]) -> bool:
    """Say whether a finding is to be decided on: not again with nothing new since it was rejected."""
    if service_request and service_request not in {row["sr_number"] for row in finding.executions}:
        return False
    rejected = decisions.rejection(finding.scope)
    if finding.execution_ids <= rejected.executions:
        notes.append(
            f"{finding.scope}: {finding.modules} modules failed, which {rejected.by or 'somebody'} has seen and "
            f"rejected at {rejected.at}; asked again when another one fails"
        )
        return False
    return True


async def _history(framework: FrameworkClient, policy: CapaPolicy, at: datetime) -> tuple[History, list[str]]:
    """Read the tested executions: listings alone, and the failed criteria of the window's failures."""
    start = at - timedelta(days=policy.longest_days)
    window = at - timedelta(days=policy.longest_days - policy.baseline_days)
    since = start.astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    rows, models = await together(
        framework.alist("list_executions", status=COMPLETE, completed_from=since), _models(framework)
    )
    trials, notes = read_trials(rows, models)
    failed = [trial for trial in trials if trial.failed and window < trial.completed_at <= at]
    known, unread = await _with_criteria(framework, failed, rows)
    return History([*trials, *known]), [*notes, *unread]


async def _with_criteria(
    framework: FrameworkClient, failed: Iterable[CountedExecution], rows: Iterable[Mapping[str, Any]]
) -> tuple[list[CountedExecution], list[str]]:
    """Return failed executions with the criteria that they failed, and remarks on those whose criteria are unknown."""
    trials = {trial.execution_id: trial for trial in failed}
    wanted: dict[str, dict[str, Any]] = {}
    for row in rows:
        execution_id = text(first(row, "execution_id", "id"))
        if execution_id in trials:
            wanted[execution_id] = {**row, "execution_id": execution_id}
    read, unread = await framework.aall_with_results([wanted[execution_id] for execution_id in trials])
    problems = {outcome.key: outcome.reason for outcome in unread}
    for execution in read:
        try:
            criteria = tuple(dict.fromkeys(criterion.parameter for criterion in failed_criteria(execution)))
        except DataError as error:
            problems[execution.execution_id] = error.message
        else:
            trials[execution.execution_id] = replace(trials[execution.execution_id], criteria=criteria)
    return list(trials.values()), _without_criteria(problems)


def _without_criteria(problems: Mapping[str, str]) -> list[str]:
    """Say of which failed executions no criteria are known, those with the same reason together."""
    alike: dict[str, list[str]] = {}
    for execution_id, reason in problems.items():
        alike.setdefault(reason, []).append(execution_id)
    notes: list[str] = []
    for reason, execution_ids in alike.items():
        executions = f"execution{'s' if len(execution_ids) > 1 else ''} {some(execution_ids)}"
        notes.append(f"no failed criteria are known of {executions}: {reason}")
    return notes


async def _models(framework: FrameworkClient) -> dict[str, dict[str, str]]:
    """Return manufacturer and model by service request and serial number; the empty one stands for all others."""
    models: dict[str, dict[str, str]] = {}
    for row in await framework.alist("list_service_requests"):
        try:
            modules = read_service_request(row).modules
        except DataError:
            continue
        own = {module.serial_number: model_name(module.details) for module in modules}
        models[text(row.get("id"))] = {**own, "": model_name(row.get("module") or {})}
    return models


async def raise_capas(qms: QMSClient, *, replay: bool = False, dry_run: bool = False) -> list[Report]:
    """Raise the CAPAs of the approved findings and attach their evidence; each exactly as it was approved.

    A finding without an answer waits for a person. One that was approved stays until CAPA and files are in effect,
    whatever becomes of this run.

    Args:
        qms: where the CAPAs are to be; its ledger has the findings.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.
    """
    decisions = Decisions(qms.ledger)
    approved, waiting, rejected = await asyncio.to_thread(_sorted, decisions)
    records = [_record(finding, answer) for finding, answer in approved.values()]
    capas = await qms.aexchange("create_capa", records, replay=replay, dry_run=dry_run)
    capas.add(waiting)
    capas.notes += rejected.values()
    raised = capas.external_ids()
    if dry_run:
        return [capas]
    files = await asyncio.to_thread(_files, qms, approved, raised)
    attached = None
    if files:
        attached = await qms.aexchange(ATTACH, list(chain.from_iterable(files.values())), replay=replay)
    await asyncio.to_thread(_finish, decisions, approved, raised, files, attached)
    await asyncio.to_thread(decisions.done, *rejected)
    return [capas] if attached is None else [capas, attached]


Approved = Mapping[str, tuple[CapaFinding, ApprovalAnswer]]


def _sorted(
    decisions: Decisions,
) -> tuple[dict[str, tuple[CapaFinding, ApprovalAnswer]], list[Outcome], dict[str, str]]:
    """Return the findings that are approved, outcomes of those that wait for a person, and notes on the rejected."""
    approved: dict[str, tuple[CapaFinding, ApprovalAnswer]] = {}
    waiting: list[Outcome] = []
    rejected: dict[str, str] = {}
    for digest in decisions.asked():
        try:
            answer = decisions.answer_of(digest)
            finding = decisions.finding(digest)
        except DataError as error:
            waiting.append(Outcome(f"finding {digest[:12]}", Result.QUARANTINED, code=error.code, reason=error.message))
            continue
        if answer is None:
            reason = "no person has answered whether it is to be raised; the next run of pv_capa asks again"
            waiting.append(Outcome(finding.key, Result.QUARANTINED, code="NOT_ANSWERED", reason=reason))
        elif answer.approved:
            approved[digest] = finding, answer
        else:
            rejected[digest] = f"{finding.key} isn't raised: {answer.by or 'somebody'} has rejected it"
    return approved, waiting, rejected


def _record(finding: CapaFinding, answer: ApprovalAnswer) -> Record:
    approval = {"approved_by": answer.by} if answer.by else {}
    return capa_record({**finding.capa, **approval})


def _files(qms: QMSClient, approved: Approved, raised: Mapping[str, str]) -> dict[str, list[Record]]:
    """Return the files of those CAPAs that are in effect, by digest of their finding."""
    files: dict[str, list[Record]] = {}
    if ATTACH not in qms.contract.operations:
        return files
    for digest, (finding, _) in approved.items():
        if finding.key in raised:
            capa = raised[finding.key]
            files[digest] = [
                attachment_record(capa, each.name, each.content, each.content_type) for each in evidence(finding)
            ]
    return files


def _finish(
    decisions: Decisions,
    approved: Approved,
    raised: Mapping[str, str],
    files: Mapping[str, Sequence[Record]],
    attached: Report | None,
) -> None:
    """Note as dealt with whose CAPA and files are all in effect."""
    there = set(attached.external_ids()) if attached else set()
    for digest, (finding, _) in approved.items():
        if finding.key in raised and there.issuperset(record.key for record in files.get(digest, ())):
            decisions.done(digest)
