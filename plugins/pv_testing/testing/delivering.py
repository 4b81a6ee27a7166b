"""Sends the records of a trial as the engine does: after a lost answer it looks the record up before it repeats.

A system that loses answers now and then does not make its contract wrong.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_testing.core import clock, lease
from pv_testing.core.errors import AmbiguousOutcome, IntegrationError, NetworkError, RateLimited, Rejected
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Prepared, Reply, Verdict
from pv_testing.testing.answering import answered
from pv_testing.testing.finding import TrialEvidence

if TYPE_CHECKING:
    from pv_testing.testing.trial import ContractTrial

TRIES = 3
PAUSE = 0.25
MISREAD = frozenset({Reason.NO_ID, Reason.ID_UNUSABLE, Reason.NOT_JSON, Reason.ANSWER_AWAITED, Reason.ANSWER_UNKNOWN})
"""The codes of answers that contradict the contract, or don't come; a look-up after these would hide the mistake."""
IN_DOUBT = "; the request may have taken effect"
Anew = Callable[[Prepared], Prepared]


@dataclass
class Lost:
    """Records whose answer was lost or left them out.

    Attributes:
        items: the records.
        of: the number of records in the same request.
        error: the cause.
        shown: the request and its answer.
    """

    items: list[Prepared]
    of: int
    error: IntegrationError
    shown: Sequence[TrialEvidence]

    @property
    def how(self) -> str:
        """The event in words, for a note."""
        if self.error.code == Reason.BULK_INCOMPLETE:
            return f"the system's answer left out {len(self.items)} of {self.of} records"
        if isinstance(self.error, RateLimited):
            return f"the system wanted to be left alone ({self.error.message})"
        status = self.error.code.removeprefix("HTTP_")
        cause = f"HTTP {status}" if status.isdigit() else self.error.message.removesuffix(IN_DOUBT)
        return f"the system lost an answer ({cause})"


async def delivered(trial: ContractTrial, items: Sequence[Prepared], anew: Anew | None = None) -> list[Prepared]:
    """Send records until each is in effect, and note on the trial each answer that the system lost.

    Args:
        trial: of the operation.
        items: the records.
        anew: makes another record in the place of one that isn't there; without it, the same one is sent again.

    Returns:
        The records that are in effect, with their ids.

    Raises:
        IntegrationError: the system refuses them, its answer contradicts the contract, or it loses every answer.
    """
    done: list[Prepared] = []
    left = list(items)
    for left_over in reversed(range(TRIES)):
        lost = await _sent(trial, left)
        absent = await _absent(trial, lost, created=anew is not None) if lost else []
        done += [item for item in left if item not in absent]
        if lost is None or not absent:
            break
        trial.broken = lost.shown
        if not left_over or (anew is None and not trial.is_looked_up):
            raise lost.error
        trial.broken = ()
        left = [anew(item) for item in absent] if anew else absent
    return done


async def _sent(trial: ContractTrial, items: Sequence[Prepared]) -> Lost | None:
    """Send records in one request where the contract can, and return those of which the answer says nothing."""
    trial.sent = clock.seconds()
    try:
        with lease.until(math.inf):
            replies = await answered(trial, items)
    except (AmbiguousOutcome, NetworkError, RateLimited) as error:
        if error.code in {*MISREAD, Reason.BULK_INCOMPLETE}:
            raise
        return Lost(list(items), len(items), error, trial.recorder.last())
    doubt: list[Prepared] = []
    error_of: IntegrationError | None = None
    for item, reply in zip(items, replies, strict=True):
        if reply.verdict is Verdict.OK:
            item.external_id = reply.external_id or item.external_id
        else:
            error_of = _error(item, reply)
            doubt.append(item)
    return Lost(doubt, len(items), error_of, trial.recorder.last()) if error_of else None


def _error(item: Prepared, reply: Reply) -> IntegrationError:
    """Return the lost records of a reply in doubt.

    Raises:
        IntegrationError: it is a refusal, or an answer that contradicts the contract.
    """
    if reply.verdict is Verdict.REJECTED:
        raise Rejected(reply.reason, key=item.key, code=reply.code)
    error = AmbiguousOutcome(f"{reply.verdict.value}: {reply.reason}", key=item.key, code=reply.code)
    if reply.code in MISREAD:
        raise error
    return error


async def _absent(trial: ContractTrial, lost: Lost, *, created: bool) -> list[Prepared]:
    """Look lost records up until they are found or surely aren't there; return those that aren't."""
    absent = lost.items
    until = clock.seconds() + min(trial.patience, trial.setting.contract.limits.horizon)
    while trial.is_looked_up:
        absent = [item for item in absent if not await _there(trial, item, created=created)]
        if not absent or clock.seconds() > until:
            break
        await asyncio.sleep(PAUSE)
    if len(absent) < len(lost.items):
        trial.note(f"{lost.how}; the look-up found what had taken effect")
    if absent:
        trial.note(f"{lost.how}; {'another record' if created else 'the same'} was sent in its place")
    return absent


async def _there(trial: ContractTrial, item: Prepared, *, created: bool) -> bool:
    match = (await trial.look_up([item])).get(item.key)
    if match is None or match.unclear or not (match.in_effect or created):
        return False
    item.external_id = match.external_id or item.external_id
    return True
