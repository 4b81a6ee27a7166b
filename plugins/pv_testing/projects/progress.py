"""How far a service request is: of each protocol, which executions are expected, and how many of them are complete."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from pv_testing.core.errors import DataError
from pv_testing.domain.names import some
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.status import COMPLETE, ENDED
from pv_testing.domain.verdict import QualityStatus, read_status
from pv_testing.domain.withdrawals import withdrawn_protocols
from pv_testing.projects.policy import DURATION

IN_PROGRESS = "IN_PROGRESS"
OPEN = "OPEN"
HUNDRED, TENTH = Decimal(100), Decimal("0.1")


@dataclass(frozen=True)
class ProtocolWork:
    """The work on one protocol of a service request.

    Attributes:
        protocol_id: such as ``PVTP-018``.
        expected: how many executions are: one for each module with a serial number, and each that there is beyond.
        complete: those that are complete.
        ended: those that came to an end without results, such as stopped ones; another one is expected.
        progress: per cent of all expected ones.
        begun: whether there is any execution.
        withdrawn: whether nothing more is expected.
    """

    protocol_id: str
    expected: int
    complete: tuple[Execution, ...]
    ended: tuple[Execution, ...]
    progress: Decimal
    begun: bool
    withdrawn: bool = False

    @property
    def status(self) -> str:
        """``COMPLETE`` when every expected execution is or none is wanted, ``OPEN`` before the first has begun."""
        if self.withdrawn or (self.expected and len(self.complete) == self.expected):
            return COMPLETE
        return IN_PROGRESS if self.begun else OPEN

    def notes(self) -> str:
        """Return notes for the reader in project management: how many are done, with which verdicts."""
        notes = "Withdrawn. " if self.withdrawn else ""
        notes += f"{len(self.complete)} of {self.expected} executions complete."
        serials: dict[str, list[str]] = defaultdict(list)
        for execution in self.complete:
            serials[_verdict(execution)].append(execution.serial_number)
        if serials:
            counts = [f"{len(serials[verdict])} {verdict}" for verdict in sorted(serials, reverse=True)]
            notes += f" QC Status: {', '.join(counts)}"
        if QualityStatus.FAIL.value in serials:
            notes += f". Failed: {some(sorted(serials[QualityStatus.FAIL.value]))}"
        if self.ended:
            notes += f". Ended without results: {len(self.ended)}"
        return notes


def work_of(
    request: ServiceRequest, executions: Iterable[Execution], dropped: Iterable[str] = ()
) -> list[ProtocolWork]:
    """Return the work on each protocol of a service request, in its order.

    Args:
        request: with its modules and protocols.
        executions: all of them that the framework lists.
        dropped: protocols that were the request's and are listed no longer; they are withdrawn, and come last.
    """
    away = sorted(set(dropped) - set(request.protocols))
    gone, protocols = withdrawn_protocols(request) | set(away), [*request.protocols, *away]
    serials = list(dict.fromkeys(module.serial_number for module in request.modules if module.serial_number))
    runs: dict[str, list[Execution]] = {protocol: [] for protocol in protocols}
    for execution in executions:
        if execution.protocol_id in runs:
            runs[execution.protocol_id].append(execution)
    return [_work(each, serials, runs[each], withdrawn=each in gone) for each in protocols]


def _work(protocol_id: str, serials: Sequence[str], runs: Sequence[Execution], *, withdrawn: bool) -> ProtocolWork:
    live = [run for run in runs if run.status == COMPLETE or (run.status not in ENDED and not withdrawn)]
    absent = set() if withdrawn else set(serials) - {run.serial_number for run in live}
    expected = len(live) + len(absent)
    done = sum((_percent(run) for run in live), Decimal(0))
    return ProtocolWork(
        protocol_id,
        expected,
        tuple(run for run in live if run.status == COMPLETE),
        tuple(run for run in runs if run.status in ENDED),
        done / expected if expected else Decimal(0),
        bool(runs),
        withdrawn,
    )


def _percent(execution: Execution) -> Decimal:
    if execution.status == COMPLETE:
        return HUNDRED
    try:
        percent = Decimal(str(execution.raw.get("progress") or 0))
    except InvalidOperation:
        return Decimal(0)
    return min(max(percent, Decimal(0)), HUNDRED) if percent.is_finite() else Decimal(0)


def _verdict(execution: Execution) -> str:
    try:
        return read_status(execution.qc_status).value
    except DataError:
        return execution.qc_status.upper()[:40]


def progress_of(works: Sequence[ProtocolWork], weighting: str, hours: Mapping[str, Decimal]) -> Decimal:
    """Return the progress of a service request in per cent, with one decimal.

    It is 100 only when every protocol is complete, and may fall when more is expected than before.

    Args:
        works: of its protocols.
        weighting: ``mean`` of the protocols, or by their ``duration``.
        hours: how long each protocol takes; only for ``duration``.

    Raises:
        DataError: the duration of a protocol is unknown (``DURATION_UNKNOWN``).
    """
    total = weighted = Decimal(0)
    for work in works:
        weight = _weight(work, weighting, hours)
        total += weight
        weighted += weight * (HUNDRED if work.status == COMPLETE else work.progress)
    if not total:
        return Decimal("0.0")
    rounded = min(max(weighted / total, Decimal(0)), HUNDRED).quantize(TENTH, ROUND_HALF_UP)
    complete = all(work.status == COMPLETE for work in works)
    return rounded if complete else min(rounded, HUNDRED - TENTH)


def durations(protocols: Mapping[str, Mapping[str, Any]]) -> dict[str, Decimal]:
    """Return how long each protocol takes in hours; those without a positive number are left out.

    Args:
        protocols: the framework's descriptions by identifier.
    """
    known: dict[str, Decimal] = {}
    for identity, protocol in protocols.items():
        try:
            hours = Decimal(str(protocol.get("duration_hours")))
        except InvalidOperation:
            continue
        if hours.is_finite() and hours > 0:
            known[identity] = hours
    return known


def _weight(work: ProtocolWork, weighting: str, hours: Mapping[str, Decimal]) -> Decimal:
    if weighting != DURATION:
        return Decimal(1)
    if work.protocol_id not in hours:
        message = f"the framework doesn't say how long {work.protocol_id} takes, which the progress is weighted by"
        raise DataError(message, code="DURATION_UNKNOWN")
    return hours[work.protocol_id]
