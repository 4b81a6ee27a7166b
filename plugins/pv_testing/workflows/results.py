"""Completed executions of the framework become result sets in the LIMS, one for each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.results import result_record
from pv_testing.domain.samples import sample_key
from pv_testing.exchange.report import Report
from pv_testing.exchange.types import Outcome, Record, Result
from pv_testing.integrations.framework import FrameworkClient, gather_bounded
from pv_testing.integrations.lims import LIMSClient
from pv_testing.workflows.settled import Settled
from pv_testing.workflows.unfinished import CLOSED, Unfinished

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
    requests, missing = await framework.aservice_requests(sr_ids)
    contract = lims.contract.digest
    names = [f"lims/result/{request.sr_number}" for request in requests]
    memory = [Settled(lims.ledger, name, contract, anew=replay) for name in names]
    protocols, users = await asyncio.gather(framework.aprotocols(), framework.ausers())
    work = zip(requests, memory, strict=True)
    read = await gather_bounded([_executions(framework, request, settled) for request, settled in work], limit=2)
    pairs = [(request, named(run, users)) for request, (runs, _) in zip(requests, read, strict=True) for run in runs]
    sample_ids = await lims.asample_ids({sample_key(r.sr_number, e.serial_number) for r, e in pairs})
    records, orphans = _records(pairs, protocols, sample_ids)
    report = await lims.aexchange("upload_results", records, replay=replay, dry_run=dry_run)
    report.add(orphans)
    report.add(outcome for _, unchanged in read for outcome in unchanged)
    missing.tell(report)
    if not dry_run:
        for settled in memory:
            await asyncio.to_thread(settled.keep, report.outcomes)
        waiting = {outcome.key for outcome in report.not_in_effect()}
        finished = [
            (request, request.status == CLOSED and report.error is None and waiting.isdisjoint(keys(runs)))
            for request, (runs, _) in zip(requests, read, strict=True)
        ]
        await Unfinished(lims.ledger, SWEEP).keep(finished, missing.deleted)
    return report


async def _executions(
    framework: FrameworkClient, request: ServiceRequest, settled: Settled
) -> tuple[list[Execution], list[Outcome]]:
    """Read the executions of a request but for those that are settled, which are unchanged."""
    listed = await framework.alist("list_executions", sr_id=request.id, status="COMPLETE")
    unsettled = [row for row in listed if not settled.has(row)]
    known = {str(row["execution_id"]) for row in listed} - {str(row["execution_id"]) for row in unsettled}
    executions = await gather_bounded([framework.awith_results(row) for row in unsettled])
    return executions, [Outcome(execution_id, Result.UNCHANGED) for execution_id in sorted(known)]


def _records(
    pairs: Iterable[tuple[ServiceRequest, Execution]],
    protocols: Mapping[str, Mapping[str, Any]],
    sample_ids: Mapping[str, str],
) -> tuple[list[Record], list[Outcome]]:
    records, orphans = [], []
    for request, execution in pairs:
        key = sample_key(request.sr_number, execution.serial_number)
        sample_id = sample_ids.get(key)
        if sample_id is None:
            reason = f"its sample {key} is not in the LIMS yet; pv_intake creates it"
            orphans.append(Outcome(execution.execution_id, Result.DEFERRED, code="SAMPLE_UNKNOWN", reason=reason))
        else:
            protocol = protocols.get(execution.protocol_id)
            records.append(result_record(execution, protocol, request.sr_number, sample_id))
    return records, orphans


def keys(executions: Iterable[Execution]) -> set[str]:
    """Return the business keys of executions."""
    return {execution.execution_id for execution in executions}


def named(execution: Execution, users: Mapping[str, Mapping[str, Any]]) -> Execution:
    """Return the execution with what the framework's users say of its operator, where it gave only an id."""
    user = users.get(str(execution.operator.get("id")))
    return execution if user is None else replace(execution, operator={**user, **execution.operator})
