"""Completed executions of the framework become result sets in the LIMS, one for each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from pv_testing.core.concurrency import together
from pv_testing.core.errors import DataError
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.samples import sample_key
from pv_testing.exchange.report import Report
from pv_testing.integrations.framework import FrameworkClient, gather_bounded
from pv_testing.integrations.lims import LIMSClient
from pv_testing.samples.result_sets import result_record
from pv_testing.workflow.confirmed import without_confirmed
from pv_testing.workflow.execution_checkpoint import ExecutionCheckpoint
from pv_testing.workflow.executions import Listed, list_complete
from pv_testing.workflow.sweep_backlog import SweepBacklog

SWEEP = "lims/results"


async def upload_results(
    framework: FrameworkClient,
    lims: LIMSClient,
    sr_ids: Iterable[int],
    *,
    replay: bool = False,
    dry_run: bool = False,
) -> Report:
    """Upload the results of every completed execution of the service requests; changed ones become amendments.

    Args:
        framework: where the executions are.
        lims: where the result sets are to be.
        sr_ids: the framework's ids of the requests.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.
    """
    sweep = await asyncio.to_thread(SweepBacklog, lims.ledger, SWEEP)
    requests, missing = await framework.aservice_requests(sr_ids)
    contract = lims.rules
    if not dry_run:
        await sweep.begin(requests, missing.deleted)
    names = [f"lims/result/{request.sr_number}" for request in requests]
    memory = [await asyncio.to_thread(ExecutionCheckpoint, lims.ledger, name, contract, anew=replay) for name in names]
    protocols, users = await together(framework.aprotocols(), framework.ausers())
    work = zip(requests, memory, strict=True)
    read = await gather_bounded([_part(framework, request, settled) for request, settled in work], limit=2)
    pairs = [(part.request, named(run, users)) for part in read for run in part.executions]
    sample_ids = await lims.asample_ids({sample_key(r.sr_number, e.serial_number) for r, e in pairs})
    wanted, orphans = _records(pairs, protocols, sample_ids)
    kind = lims.contract.operation("upload_results").kind
    records, confirmed = await asyncio.to_thread(without_confirmed, lims.ledger, lims.system, kind, wanted)
    report = await lims.aexchange("upload_results", records, replay=replay, dry_run=dry_run)
    report.add([*orphans, *confirmed])
    for part in read:
        report.add([*part.unread, *(Outcome(execution_id, Result.UNCHANGED) for execution_id in sorted(part.settled))])
        report.notes += part.listed.notes(part.request)
    missing.add_to(report)
    if not dry_run:
        for settled in memory:
            await asyncio.to_thread(settled.keep, report.outcomes)
        waiting = {outcome.key for outcome in report.not_in_effect()}
        done = {part.request.sr_number for part in read if report.error is None and part.is_done(waiting)}
        await sweep.settle(requests, done)
    return report


@dataclass(frozen=True)
class _Part:
    """The completed executions of one service request.

    Attributes:
        request: the service request.
        listed: what the framework lists of it.
        executions: those that were read this time.
        unread: the outcomes of those that could not be read.
        settled: those whose results are in effect, so that they weren't read.
    """

    request: ServiceRequest
    listed: Listed
    executions: Sequence[Execution]
    unread: Sequence[Outcome]
    settled: AbstractSet[str]

    def is_done(self, waiting: AbstractSet[str]) -> bool:
        """Say whether nothing of the request waits, nor is waited for although it is closed."""
        read = {each.execution_id for each in self.executions}
        return waiting.isdisjoint(read) and not self.unread and not self.listed.under_way


async def _part(framework: FrameworkClient, request: ServiceRequest, settled: ExecutionCheckpoint) -> _Part:
    """Read the executions of a request but for those that are settled, which are unchanged."""
    listed = await list_complete(framework, request)
    unsettled = [each.raw for each in listed.complete if not settled.has(each.raw)]
    known = {each.execution_id for each in listed.complete} - {str(row["execution_id"]) for row in unsettled}
    executions, unread = await framework.aall_with_results(unsettled)
    return _Part(request, listed, executions, [*listed.unread, *unread], known)


def _records(
    pairs: Iterable[tuple[ServiceRequest, Execution]],
    protocols: Mapping[str, Mapping[str, Any]],
    sample_ids: Mapping[str, str],
) -> tuple[list[Record], list[Outcome]]:
    records, orphans = [], []
    for request, execution in pairs:
        key = sample_key(request.sr_number, execution.serial_number)
        sample_id = sample_ids.get(key)
        if not execution.serial_number:
            problem = DataError("it names no module; enter its serial number in the framework", code="SERIAL_MISSING")
            records.append(Record(execution.execution_id, {}, problem))
        elif sample_id is None:
            reason = f"its sample {key} is not in the LIMS yet; pv_intake creates it"
            orphans.append(Outcome(execution.execution_id, Result.DEFERRED, code="SAMPLE_UNKNOWN", reason=reason))
        else:
            protocol = protocols.get(execution.protocol_id)
            records.append(result_record(execution, protocol, request.sr_number, sample_id))
    return records, orphans


def named(execution: Execution, users: Mapping[str, Mapping[str, Any]]) -> Execution:
    """Return the execution with what the framework's users say of its operator, where it gave only an id."""
    user = users.get(str(execution.operator.get("id")))
    return execution if user is None else replace(execution, operator={**user, **execution.operator})
