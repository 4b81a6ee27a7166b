"""Statuses in both directions: what the framework knows of testing, and what the LIMS knows of receipt.

Both ways only ever move forward, and each side is written only when it differs, so that the two never chase each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from pv_testing.contracts.model import Contract
from pv_testing.domain.records import ServiceRequest
from pv_testing.domain.samples import sample_key
from pv_testing.domain.status import rank
from pv_testing.exchange.report import Report
from pv_testing.exchange.types import Record
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.integrations.lims import LIMSClient
from pv_testing.workflows.unfinished import Unfinished

SWEEP = "lims/statuses"
RECEIPTS = "lims/receipts"
NOTES = "Updated from PV Testing Framework"


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
    memory = Unfinished(lims.ledger, SWEEP)
    requests, missing = await framework.aservice_requests(sr_ids)
    words: Mapping[str, str] = lims.contract.vocabularies["sample_status"].to_external
    told = {request.sr_number: _last_mapped(request, words) for request in requests}
    due = [request for request in requests if told[request.sr_number]]
    sample_ids = await lims.asample_ids({key for request in due for key in _keys(request)})
    awaited = await _awaited(lims) if sample_ids else set()
    arrived = {key: sample_id for key, sample_id in sample_ids.items() if key not in awaited}
    records = [record for request in due for record in _status_records(request, told[request.sr_number], arrived)]
    report = await lims.aexchange("update_sample_status", records, replay=replay, dry_run=dry_run)
    if len(arrived) < len(sample_ids):
        report.notes.append(f"{len(sample_ids) - len(arrived)} samples aren't received yet; their status follows")
    missing.tell(report)
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


async def _awaited(lims: LIMSClient) -> set[str]:
    """Return the keys of the samples that the LIMS still waits for."""
    word = lims.contract.vocabularies["receipt"].to_external["AWAITED"]
    return {_key(sample) for sample in await lims.asamples(status=word)}


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
    """Move a service request to its state after receipt when the LIMS waits for none of its samples any more.

    A request that is in that state or beyond it already is left alone. The LIMS is asked for one listing, of
    the samples that it still waits for, however many service requests there are. Where its configuration says
    ``bidirectional: false``, nothing comes back from it.
    """
    memory = Unfinished(lims.ledger, RECEIPTS)
    requests, missing = await framework.aservice_requests(sr_ids if lims.config.bidirectional else ())
    after = after_receipt(lims.contract)
    awaited = await _awaited(lims)
    known = await lims.asample_ids({key for request in requests for key in _keys(request)})
    received = [request for request in requests if _received(request, awaited, known)]
    due = [request for request in received if rank(request.status) < rank(after)]
    records = [Record(request.sr_number, {"sr_id": request.id, "status": after}) for request in due]
    report = await framework.aexchange("set_service_request_status", records, replay=replay, dry_run=dry_run)
    missing.tell(report)
    if not dry_run:
        await memory.keep([(each, rank(each.status) >= rank(after)) for each in requests], missing.deleted)
    if len(received) > len(due):
        report.notes.append(f"{len(received) - len(due)} received service requests are at {after} or beyond it already")
    if not lims.config.bidirectional:
        report.notes.append("nothing comes back from the LIMS; its configuration says bidirectional: false")
    return report


def _keys(request: ServiceRequest) -> list[str]:
    return [sample_key(request.sr_number, module.serial_number) for module in request.modules if module.serial_number]


def _key(sample: Mapping[str, Any]) -> str:
    return sample_key(str(sample.get("project_id")), str(sample.get("external_id")))


def _received(request: ServiceRequest, awaited: AbstractSet[str], known: Mapping[str, str]) -> bool:
    keys = _keys(request)
    return bool(keys) and all(key in known and key not in awaited for key in keys)
