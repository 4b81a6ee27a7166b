"""Checks that a change arrives, in the same record, and reads as it was sent."""

from __future__ import annotations

from dataclasses import replace

from pv_testing.core.records import Found, Prepared
from pv_testing.testing.creating import MANY
from pv_testing.testing.finding import UPDATE
from pv_testing.testing.trial import ContractTrial, Findings

CHANGED = 0


async def one(trial: ContractTrial) -> Findings:
    """Send the next version of the first record and read it back."""
    on_change = trial.operation.limits.on_change
    if on_change == "ignore" or not trial.is_looked_up:
        yield trial.skipped(UPDATE, "on_change", f"{on_change}: nothing is sent for a changed record")
        return
    if trial.record(CHANGED, changed=True).data == trial.record(CHANGED).data:
        yield trial.skipped(UPDATE, "on_change", "can't be tried: the suite has no change of such a record")
        return
    item = _next(trial, CHANGED)
    early = (await trial.look_up([item])).get(item.key)
    if early is not None and early.in_effect:
        yield trial.fails(UPDATE, "find.in_effect", f"holds a change of {item.key} to be in effect before it is sent")
        return
    async for finding in _sent(trial, [item], "update" if trial.spec.update else "on_change"):
        yield finding


async def many(trial: ContractTrial) -> Findings:
    """Send the next versions of several records in one request, where the contract changes them so."""
    alone = trial.together < 2 or trial.spec.update is not None
    if alone or not trial.is_looked_up or trial.spec.on_change == "ignore":
        return
    places = range(1, 1 + min(MANY, trial.together))
    items = [_next(trial, place) for place in places if trial.record(place).key in trial.made]
    if not items:
        return
    async for finding in _sent(trial, items, "bulk"):
        yield finding


def _next(trial: ContractTrial, place: int) -> Prepared:
    """Return the next version of a record that was created."""
    item = trial.prepared(trial.record(place, changed=True))
    made = trial.made[item.key]
    return replace(item, external_id=made.external_id, revision=made.revision + 1)


async def _sent(trial: ContractTrial, items: list[Prepared], part: str) -> Findings:
    before = {item.key: item.external_id for item in items}
    await trial.send(items)
    shown = trial.recorder.last()
    in_place = trial.spec.on_change == "update"
    for item in items:
        match, waited = await trial.until(item, lambda match: match.in_effect or match.copies > 1)
        problem = _not_changed(item, before[item.key] if in_place else "", match, waited)
        if problem:
            yield trial.fails(UPDATE, part, problem, *shown, *trial.recorder.last())
            return
        trial.measured(waited)
    yield trial.holds(UPDATE, part, f"{_named(items)} changed and reads as it was sent")


def _named(items: list[Prepared]) -> str:
    return f"{items[0].key} was" if len(items) == 1 else f"each of {len(items)} records was"


def _not_changed(item: Prepared, was: str, match: Found | None, waited: float) -> str:
    """Return the problem of a record after its change; empty when all is well.

    Args:
        item: its next version.
        was: its id before, where it must be the same; empty for a version that is a record of its own.
        match: the result of the look-up.
        waited: seconds until then.
    """
    if was and item.external_id != was:
        return f"{item.key} was {was}, and the answer to its change says {item.external_id}, which creates instead"
    if match is None:
        return f"{item.key} isn't found any more after its change"
    if match.copies > 1:
        return f"{item.key} is there {match.copies} times after its change, which creates instead of changing"
    if was and match.external_id != was:
        return f"{item.key} was {was} and is {match.external_id} after its change, which creates instead of changing"
    return "" if match.in_effect else f"the change of {item.key} was accepted and doesn't show within {waited:.1f} s"
