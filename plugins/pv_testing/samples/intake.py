"""Service requests of the framework become samples in the LIMS, one for each module."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from pv_testing.core import keys
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Record
from pv_testing.domain.status import STATES
from pv_testing.exchange.report import Report
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.integrations.lims import LIMSClient
from pv_testing.ledger import State
from pv_testing.samples.records import sample_records, shortfalls
from pv_testing.workflow.confirmed import without_confirmed
from pv_testing.workflow.sweep_backlog import SweepBacklog

SWEEP = "lims/samples"
KIND = "sample"


async def create_samples(
    framework: FrameworkClient,
    lims: LIMSClient,
    sr_ids: Iterable[int],
    *,
    replay: bool = False,
    dry_run: bool = False,
) -> Report:
    """Create one sample for each module of the service requests that has a serial number.

    A request that is closed meanwhile is finished when every sample of it is in effect.

    Args:
        framework: where the requests are.
        lims: where the samples are to be.
        sr_ids: the framework's ids of the requests; one that has been deleted is noted, nothing downstream is.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.
    """
    memory = await asyncio.to_thread(SweepBacklog, lims.ledger, SWEEP)
    requests, missing = await framework.aservice_requests(sr_ids)
    by_request = {each.sr_number: sample_records(each) for each in requests if each.status in STATES}
    wanted = [record for of in by_request.values() for record in of]
    records, confirmed = await asyncio.to_thread(without_confirmed, lims.ledger, lims.system, KIND, wanted)
    report = await lims.aexchange("create_sample", records, replay=replay, dry_run=dry_run)
    report.add(confirmed)
    report.notes += shortfalls(requests)
    report.notes += await asyncio.to_thread(_no_longer_listed, lims, by_request, keep=not dry_run)
    missing.add_to(report)
    if not dry_run:
        waiting = {outcome.key for outcome in report.not_in_effect()}
        behind = {number for number, of in by_request.items() if any(record.key in waiting for record in of)}
        done = {each.sr_number for each in requests if report.error is None and each.sr_number not in behind}
        await memory.settle(requests, done, missing.deleted)
    return report


def _no_longer_listed(lims: LIMSClient, by_request: Mapping[str, Sequence[Record]], *, keep: bool) -> list[str]:
    """Say which samples are in the LIMS although their request lists the module no longer; a person cancels them there.

    What had no serial number of its own, and is listed with one by now, waits for a person no more.
    """
    notes: list[str] = []
    for number, records in by_request.items():
        listed = {record.key for record in records}
        own = keys.prefix(keys.compose(number))
        entries = lims.ledger.entries(lims.system, KIND, [State.CONFIRMED, State.QUARANTINED], prefix=own)
        # What has more parts is another request's, from before keys were escaped.
        others = [entry for entry in entries if entry.key not in listed and len(keys.split(entry.key)) == 2]
        there = [entry for entry in others if entry.state is State.CONFIRMED]
        notes += [f"{e.key}: the request lists it no longer; cancel sample {e.external_id} in the LIMS" for e in there]
        if keep:
            gone = [entry.key for entry in others if entry.code in {Reason.SERIAL_MISSING, Reason.SERIAL_DUPLICATE}]
            lims.ledger.release(lims.system, KIND, gone, owner=lims.owner, automatic=True)
    return notes
