"""Statuses in both directions: what the framework knows of testing, and what the LIMS knows of receipt.

Both ways only ever move forward, and each side is written only when it differs, so that the two never chase each other.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pv_testing.contracts.model import Contract
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.records import ServiceRequest
from pv_testing.domain.samples import sample_key
from pv_testing.domain.status import rank
from pv_testing.exchange.report import Report
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.integrations.lims import LIMSClient
from pv_testing.integrations.receipt import Receipt
from pv_testing.workflow.sweep_backlog import SweepBacklog

SWEEP = "lims/statuses"
RECEIPTS = "lims/receipts"
NOTES = "Updated from PV Testing Framework"
ODD = frozenset({Receipt.UNCLEAR, Receipt.UNKNOWN, Receipt.DUPLICATE})
CORRECT = "correct it in the LIMS, or set the state of the service request in the framework"


async def push_statuses(
    framework: FrameworkClient,
    lims: LIMSClient,
    sr_ids: Iterable[int],
    *,
    replay: bool = False,
    dry_run: bool = False,
) -> Report:
    """Give every sample of the service requests the status that the contract maps the request's status to.

    Where the contract doesn't map the state, the last one before it counts, for a request may have passed that between
    two runs. A sample that the LIMS still waits for is left out and noted, for it would refuse the status; it follows
    once the sample has been received. A closed request is finished when every sample has its last status.
    """
    memory = await asyncio.to_thread(SweepBacklog, lims.ledger, SWEEP)
    requests, missing = await framework.aservice_requests(sr_ids)
    words: Mapping[str, str] = lims.contract.vocabularies["sample_status"].to_external
    told = {request.sr_number: _last_mapped(request, words) for request in requests}
    due = [request for request in requests if told[request.sr_number]]
    sample_ids = await lims.asample_ids({key for request in due for key in _keys(request)})
    arrived, odd = await _arrived(lims, sample_ids)
    records = [record for request in due for record in _status_records(request, told[request.sr_number], arrived)]
    report = await lims.aexchange("update_sample_status", records, replay=replay, dry_run=dry_run)
    report.add(
        Outcome(key, Result.QUARANTINED, sample_ids[key], receipt.code, f"the sample {receipt.value}; {CORRECT}")
        for key, receipt in odd.items()
    )
    awaited = len(sample_ids) - len(arrived) - len(odd)
    if awaited:
        report.notes.append(f"{awaited} samples aren't received yet; their status follows")
    missing.add_to(report)
    if not dry_run:
        in_effect = set(report.external_ids())
        done = {each.sr_number for each in requests if not told[each.sr_number] or in_effect.issuperset(_keys(each))}
        await memory.settle(requests, done, missing.deleted)
    return report


def _last_mapped(request: ServiceRequest, words: Mapping[str, str]) -> str:
    """Return the LIMS's word for the last state that the request has reached and the contract maps, or nothing."""
    reached = [state for state in words if rank(state) <= rank(request.status)]
    return words[max(reached, key=rank)] if reached else ""


def _status_records(request: ServiceRequest, status: str, sample_ids: Mapping[str, str]) -> Iterable[Record]:
    for key in _keys(request):
        if key in sample_ids:
            yield Record(key, {"lims_sample_id": sample_ids[key], "lims_status": status, "notes": NOTES})


async def _arrived(lims: LIMSClient, sample_ids: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Receipt]]:
    """Return the ids of the samples that may be given a status, and what is odd about others that aren't awaited.

    A sample that has been given a status before has been there. Any other that the listing doesn't show as awaited is
    read by its id: what is missing in a listing proves nothing, and a status may receive a sample. One that is gone is
    given the status all the same, so that the LIMS says so.
    """
    if not sample_ids:
        return {}, {}
    awaited = await _awaited(lims)
    listed = {key: sample_id for key, sample_id in sample_ids.items() if not awaited.has(key, sample_id)}
    kind = lims.contract.operation("update_sample_status").kind
    told = await asyncio.to_thread(lims.ledger.external_ids, lims.system, kind, list(listed))
    receipts = await lims.areceipts({key: sample_id for key, sample_id in listed.items() if key not in told})
    odd = {key: receipt for key, receipt in receipts.items() if receipt in ODD}
    left = {key for key, receipt in receipts.items() if receipt is Receipt.AWAITED} | odd.keys()
    return {key: sample_id for key, sample_id in listed.items() if key not in left}, odd


@dataclass(frozen=True)
class _Awaited:
    """The samples that the LIMS lists as awaited, which spares reading each of them.

    Attributes:
        ids: those that it lists under a business key.
    """

    ids: Mapping[str, AbstractSet[str]]

    def has(self, key: str, sample_id: str) -> bool:
        """Say whether a sample is listed; another one under the same key is not this one."""
        return sample_id in self.ids.get(key, frozenset())


async def _awaited(lims: LIMSClient) -> _Awaited:
    word = lims.contract.vocabularies["receipt"].to_external["AWAITED"]
    ids: dict[str, set[str]] = defaultdict(set)
    for sample in await lims.asample_rows(status=word):
        ids[sample.key].add(sample.id)
    return _Awaited(ids)


def after_receipt(contract: Contract) -> str:
    """Return the state that a service request has at least once its samples are received; requests before it wait.

    Args:
        contract: the LIMS's.
    """
    words = contract.vocabularies["receipt"]
    return words.to_internal[words.to_external["RECEIVED"]]


async def pull_statuses(
    framework: FrameworkClient,
    lims: LIMSClient,
    sr_ids: Iterable[int],
    *,
    replay: bool = False,
    dry_run: bool = False,
) -> Report:
    """Move a service request to its state after receipt when the LIMS says of each of its samples that it is there.

    A request that is in that state or beyond it already is left alone. The LIMS is asked for one listing, of
    the samples that it still waits for, however many service requests there are. Where that shows none of a request,
    each of its samples is read by its id, and only what is said there counts. A sample that is neither awaited nor
    received, gone, or there twice is a matter for a person. Where its configuration says ``bidirectional: false``,
    nothing comes back from it.
    """
    memory = await asyncio.to_thread(SweepBacklog, lims.ledger, RECEIPTS)
    requests, missing = await framework.aservice_requests(sr_ids if lims.config.bidirectional else ())
    after = after_receipt(lims.contract)
    early = [request for request in requests if rank(request.status) < rank(after)]
    read = await _receipts(lims, early)
    due = [request for request in early if set(read.get(request.sr_number, {"": ""}).values()) == {Receipt.RECEIVED}]
    records = [Record(request.sr_number, {"sr_id": request.id, "status": after}) for request in due]
    report = await framework.aexchange("set_service_request_status", records, replay=replay, dry_run=dry_run)
    report.add(_unclear(read))
    missing.add_to(report)
    if not dry_run:
        await memory.keep([(each, rank(each.status) >= rank(after)) for each in requests], missing.deleted)
    if len(requests) > len(early):
        report.notes.append(f"{len(requests) - len(early)} service requests are at {after} or beyond it already")
    if not lims.config.bidirectional:
        report.notes.append("nothing comes back from the LIMS; its configuration says bidirectional: false")
    return report


async def _receipts(lims: LIMSClient, requests: Iterable[ServiceRequest]) -> dict[str, dict[str, Receipt]]:
    """Return what the LIMS says of each sample, by service request, of those that the listing shows as awaited no more.

    A request with a sample that the ledger doesn't know is left out: that one isn't in the LIMS yet.
    """
    awaited = await _awaited(lims)
    keys = {request.sr_number: _keys(request) for request in requests}
    ids = await lims.asample_ids({key for each in keys.values() for key in each})
    asked = {
        number: each
        for number, each in keys.items()
        if each and all(key in ids and not awaited.has(key, ids[key]) for key in each)
    }
    receipts = await lims.areceipts({key: ids[key] for each in asked.values() for key in each})
    return {number: {key: receipts[key] for key in each} for number, each in asked.items()}


def _unclear(read: Mapping[str, Mapping[str, Receipt]]) -> Iterable[Outcome]:
    """Give an outcome for each service request that only a person can bring on."""
    for number, receipts in read.items():
        odd = {key: receipt for key, receipt in receipts.items() if receipt.code}
        if odd:
            said = "; ".join(f"{key} {receipt.value}" for key, receipt in odd.items())
            code = max(odd.values(), key=list(Receipt).index).code
            yield Outcome(number, Result.QUARANTINED, code=code, reason=f"{said}; {CORRECT}")


def _keys(request: ServiceRequest) -> list[str]:
    return [sample_key(request.sr_number, module.serial_number) for module in request.modules if module.serial_number]
