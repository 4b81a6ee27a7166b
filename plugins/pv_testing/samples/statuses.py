"""Statuses in both directions: what the framework knows of testing, and what the LIMS knows of receipt.

Both ways only ever move forward, and each side is written only when it differs, so that the two never chase each other.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pv_testing.contracts.model import Contract
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.records import ServiceRequest
from pv_testing.domain.samples import sample_key
from pv_testing.domain.status import STATES, rank
from pv_testing.exchange.report import Report
from pv_testing.integrations.lims import LIMSClient
from pv_testing.integrations.receipt import Receipt
from pv_testing.workflow.step import Step

SWEEP = "lims/statuses"
RECEIPTS = "lims/receipts"
NOTES = "Updated from PV Testing Framework"
ODD = frozenset({Receipt.UNCLEAR, Receipt.UNKNOWN, Receipt.DUPLICATE})
CORRECT = "correct it in the LIMS, or set the state of the service request in the framework"


class PushStatuses(Step[LIMSClient, Report]):
    """Give every sample of the service requests the status that the contract maps the request's status to.

    Where the contract doesn't map the state, the last one before it counts, because a request may have passed that
    between two runs. A sample that the LIMS still waits for is left out and noted, because it would refuse the status;
    it follows once the sample has been received. A closed request is finished when every sample has its last status.
    """

    sweep = SWEEP

    async def carry(self) -> Report:
        """Give the samples that have arrived their status."""
        words: Mapping[str, str] = self.client.contract.vocabulary("sample_status").to_external
        self._statuses = {request.sr_number: _last_mapped(request, words) for request in self.requests}
        due = [request for request in self.requests if self._statuses[request.sr_number]]
        sample_ids = await self.client.asample_ids(_sample_keys_of(due))
        arrived, odd = await self._arrived(sample_ids)
        records: list[Record] = []
        for request in due:
            records += _status_records(request, self._statuses[request.sr_number], arrived)
        report = await self.exchange("update_sample_status", records)
        for key, receipt in odd.items():
            reason = f"the sample {receipt.value}; {CORRECT}"
            report.add([Outcome(key, Result.QUARANTINED, sample_ids[key], receipt.code, reason)])
        awaited = len(sample_ids) - len(arrived) - len(odd)
        if awaited:
            report.notes.append(f"{awaited} samples aren't received yet; their status follows")
        self._in_effect = set(report.external_ids())
        return report

    def is_done(self, request: ServiceRequest) -> bool:
        """Say whether a request has no status to give, or all its samples have it."""
        return not self._statuses[request.sr_number] or self._in_effect.issuperset(_sample_keys(request))

    async def _arrived(self, sample_ids: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Receipt]]:
        """Return the ids of the samples that may be given a status, and the odd receipts of others.

        A sample that has been given a status before has been there. Any other that the listing doesn't show as awaited
        is read by its id, because an absence from a listing proves nothing, and a status may receive a sample. One that
        is gone is given the status all the same, so that the LIMS says so.
        """
        if not sample_ids:
            return {}, {}
        awaited = await _awaited(self.client)
        listed = {key: sample_id for key, sample_id in sample_ids.items() if not awaited.has(key, sample_id)}
        kind = self.client.contract.operation("update_sample_status").kind
        given = await asyncio.to_thread(self.ledger.external_ids, self.client.system, kind, list(listed))
        unknown = {key: sample_id for key, sample_id in listed.items() if key not in given}
        receipts = await self.client.areceipts(unknown)
        arrived: dict[str, str] = {}
        odd: dict[str, Receipt] = {}
        for key, sample_id in listed.items():
            receipt = receipts.get(key)
            if receipt in ODD:
                odd[key] = receipts[key]
            elif receipt is not Receipt.AWAITED:
                arrived[key] = sample_id
        return arrived, odd


class PullStatuses(Step[LIMSClient, Report]):
    """Move a service request to its state after receipt when the LIMS says of each of its samples that it is there.

    A request that is in that state or beyond it already is left alone, and finished. The LIMS is asked for one listing,
    of the samples that it still waits for, however many service requests there are. Where that shows none of a request,
    each of its samples is read by its id, and only that answer counts. A sample that is neither awaited nor received,
    gone, or there twice is a matter for a person. Where its configuration says ``bidirectional: false``, nothing comes
    back from it.
    """

    sweep = RECEIPTS

    @property
    def enabled(self) -> bool:
        """Whether anything comes back from the LIMS."""
        return self.client.config.bidirectional

    def states(self) -> Sequence[str]:
        """Return the states before receipt."""
        return STATES[: max(rank(after_receipt(self.client.contract)), 0)]

    async def carry(self) -> Report:
        """Move the requests on whose samples are all received."""
        after = after_receipt(self.client.contract)
        early = [request for request in self.requests if rank(request.status) < rank(after)]
        receipts = await _receipts(self.client, early)
        records: list[Record] = []
        for request in early:
            if set(receipts.get(request.sr_number, {}).values()) == {Receipt.RECEIVED}:
                records.append(Record(request.sr_number, {"sr_id": request.id, "status": after}))
        operation = "set_service_request_status"
        report = await self.framework.aexchange(operation, records, replay=self.replay, dry_run=self.dry_run)
        report.add(_unclear(receipts))
        if len(self.requests) > len(early):
            report.notes.append(
                f"{len(self.requests) - len(early)} service requests are at {after} or beyond it already"
            )
        if not self.enabled:
            report.notes.append("nothing comes back from the LIMS; its configuration says bidirectional: false")
        return report

    async def remember(self) -> None:
        """Remember which requests have the state after receipt in the framework, as it was read."""
        after = rank(after_receipt(self.client.contract))
        await self.backlog.keep([(request, rank(request.status) >= after) for request in self.requests], self.deleted)


def _last_mapped(request: ServiceRequest, words: Mapping[str, str]) -> str:
    """Return the LIMS's word for the last state that the request has reached and the contract maps, or nothing."""
    reached = [state for state in words if rank(state) <= rank(request.status)]
    return words[max(reached, key=rank)] if reached else ""


def _status_records(request: ServiceRequest, status: str, sample_ids: Mapping[str, str]) -> Iterable[Record]:
    for key in _sample_keys(request):
        if key in sample_ids:
            yield Record(key, {"lims_sample_id": sample_ids[key], "lims_status": status, "notes": NOTES})


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
    word = lims.contract.vocabulary("receipt").to_external["AWAITED"]
    ids: dict[str, set[str]] = defaultdict(set)
    for sample in await lims.asample_rows(status=word):
        ids[sample.key].add(sample.id)
    return _Awaited(ids)


def after_receipt(contract: Contract) -> str:
    """Return the state that a service request has at least once its samples are received; requests before it wait.

    Args:
        contract: the LIMS's.
    """
    words = contract.vocabulary("receipt")
    return words.to_internal[words.to_external["RECEIVED"]]


async def _receipts(lims: LIMSClient, requests: Sequence[ServiceRequest]) -> dict[str, dict[str, Receipt]]:
    """Return the receipt of each sample, by service request, where the listing shows none of a request as awaited.

    A request with a sample that the ledger doesn't know is left out: that one isn't in the LIMS yet.
    """
    awaited = await _awaited(lims)
    ids = await lims.asample_ids(_sample_keys_of(requests))
    sample_keys: dict[str, list[str]] = {}
    asked: dict[str, str] = {}
    for request in requests:
        own = _sample_keys(request)
        if own and all(key in ids and not awaited.has(key, ids[key]) for key in own):
            sample_keys[request.sr_number] = own
            asked |= {key: ids[key] for key in own}
    receipts = await lims.areceipts(asked)
    by_request: dict[str, dict[str, Receipt]] = {}
    for number, own in sample_keys.items():
        by_request[number] = {key: receipts[key] for key in own}
    return by_request


def _unclear(receipts: Mapping[str, Mapping[str, Receipt]]) -> Iterable[Outcome]:
    """Give an outcome for each service request that only a person can move on."""
    for number, of_samples in receipts.items():
        odd = {key: receipt for key, receipt in of_samples.items() if receipt.code}
        if odd:
            samples = "; ".join(f"{key} {receipt.value}" for key, receipt in odd.items())
            code = max(odd.values(), key=list(Receipt).index).code
            yield Outcome(number, Result.QUARANTINED, code=code, reason=f"{samples}; {CORRECT}")


def _sample_keys(request: ServiceRequest) -> list[str]:
    return [sample_key(request.sr_number, module.serial_number) for module in request.modules if module.serial_number]


def _sample_keys_of(requests: Iterable[ServiceRequest]) -> set[str]:
    sample_keys: set[str] = set()
    for request in requests:
        sample_keys.update(_sample_keys(request))
    return sample_keys


push_statuses = PushStatuses.over
pull_statuses = PullStatuses.over
