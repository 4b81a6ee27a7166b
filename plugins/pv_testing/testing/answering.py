"""Sends records and waits for the word of the system on each, which may come in a file some time later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pv_testing.core import clock
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Prepared, Reply, Verdict

if TYPE_CHECKING:
    from pv_testing.testing.trial import ContractTrial

PAUSE = 0.25


async def answered(trial: ContractTrial, items: Sequence[Prepared]) -> list[Reply]:
    """Send records, and look for the answers to their file until they are there or patience is at its end.

    Raises:
        IntegrationError: as of the operation.
    """
    replies = dict(zip([item.key for item in items], await trial.operation.send(items), strict=True))
    until = clock.seconds() + trial.patience
    while clock.seconds() < until:
        awaited = [item for item in items if replies[item.key].code == Reason.ANSWER_AWAITED]
        if not awaited:
            break
        await asyncio.sleep(PAUSE)
        found = await trial.operation.find(awaited) or {}
        for item in awaited:
            match = found.get(item.key)
            if match is None:
                # The answer refuses it: the operation gives that word in the place of another file.
                (replies[item.key],) = await trial.operation.send([item])
            elif not match.unclear:
                replies[item.key] = Reply(Verdict.OK, match.external_id, body=match.body)
    return [replies[item.key] for item in items]
