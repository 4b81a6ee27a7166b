"""Checks that a record takes effect once although the answer to it is lost."""

from __future__ import annotations

import asyncio

from pv_testing.core import clock
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.exchange.engine import Exchange
from pv_testing.ledger import Ledger
from pv_testing.testing.answering import PAUSE
from pv_testing.testing.finding import ONCE
from pv_testing.testing.trial import ContractTrial, Findings

LOST = 20


async def withheld(trial: ContractTrial) -> Findings:
    """Create one more record, whose first answer is withheld."""
    async for finding in carried(trial, trial.record(LOST)):
        yield finding


async def carried(trial: ContractTrial, record: Record) -> Findings:
    """Carry a record through an exchange that doesn't get the first answer, and carry it once more."""
    if not trial.is_looked_up or trial.operation.limits.repeatable:
        yield trial.skipped(ONCE, "", "a lost answer isn't looked up: the request may be repeated, or a person decides")
        return
    with Ledger.in_memory(quiet=True) as ledger:
        exchange = Exchange(trial.without_waiting(), ledger, owner="trial")
        trial.sent = clock.seconds()
        trial.recorder.withhold()
        try:
            (outcome,) = (await exchange.arun([record])).outcomes
        finally:
            trial.recorder.stop()
        outcome = await _after_the_answer(trial, exchange, record, outcome)
        again = (await exchange.arun([record])).outcomes[0] if outcome.result.in_effect else outcome
    lost = f"the answer for {record.key} was withheld"
    if not outcome.result.in_effect:
        yield trial.fails(ONCE, "find", f"{lost}, and the record waits: {outcome.reason} [{outcome.code}]")
        return
    item = trial.prepared(record)
    item.external_id = outcome.external_id
    trial.keep(item)
    # A second copy would show as late as any other record does.
    await asyncio.sleep(trial.waits.longest)
    match, _ = await trial.until(item, lambda match: not match.unclear)
    if trial.recorder.drops > 1:
        yield trial.fails(ONCE, "find", f"{lost}, and {trial.recorder.drops} files carry the record")
    elif again.result is not Result.UNCHANGED or match is None or match.copies > 1:
        times = match.copies if match else 0
        yield trial.fails(ONCE, "find", f"{lost}, and the record is there {times} times")
    elif not trial.recorder.withheld:
        yield trial.skipped(ONCE, "find", f"no answer for {record.key} could be withheld: nothing was sent")
    else:
        yield trial.holds(ONCE, "find", f"{lost}; it was looked up and is there once")


async def _after_the_answer(trial: ContractTrial, exchange: Exchange, record: Record, outcome: Outcome) -> Outcome:
    """Carry a record again, whose answer comes in a file, until that is there or patience is at its end."""
    until = clock.seconds() + trial.patience
    while outcome.code == Reason.ANSWER_AWAITED and clock.seconds() < until:
        await asyncio.sleep(PAUSE)
        (outcome,) = (await exchange.arun([record])).outcomes
    return outcome
