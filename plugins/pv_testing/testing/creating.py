"""Checks that a look-up finds created records, each under the id that the answer gave it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pv_testing.core.records import Found, Prepared
from pv_testing.testing.finding import BULK, CREATE, FIND
from pv_testing.testing.trial import ContractTrial, Findings

MANY = 6


async def one(trial: ContractTrial) -> Findings:
    """Create one record by itself and look it up until it is found."""
    (item,) = await trial.create([0])
    shown = trial.recorder.last()
    trial.keep(item)
    yield trial.holds(CREATE, "", f"{item.key} became {item.external_id or 'a record without an id'}")
    if not trial.is_looked_up:
        yield trial.skipped(FIND, "find", "the contract has none; a person decides on lost answers")
        return
    match, waited = await trial.until(item, lambda match: not match.unclear)
    if match is None:
        trial.never_found()
        message = f"{item.key} was created and isn't found within {waited:.1f} s"
        yield trial.fails(FIND, "find", message, *shown, *trial.recorder.last())
        return
    if match.unclear:
        trial.never_found()
    else:
        trial.measured(waited)
    problem = wrong(item, match)
    if problem:
        yield trial.fails(FIND, "find", problem, *shown, *trial.recorder.last())
    else:
        yield trial.holds(FIND, "find", f"finds {item.key} {match.external_id and f'as {match.external_id}'}".rstrip())


async def many(trial: ContractTrial) -> Findings:
    """Create several, in one request where the contract can, and look them up one by one and together."""
    bulk = trial.together > 1
    places = range(1, 1 + min(MANY, trial.together if bulk else MANY))
    items: list[Prepared] = []
    for batch in [places] if bulk else [[place] for place in places]:
        items += await trial.create(batch)
    shown = trial.recorder.last()
    for item in items:
        trial.keep(item)
    how = trial.in_one if bulk else "one by one"
    yield trial.holds(BULK, "bulk" if bulk else "", f"{len(items)} records were created {how}")
    if not trial.is_looked_up:
        return
    for item in items:
        match, waited = await trial.until(item, lambda match: not match.unclear)
        problem = wrong(item, match)
        if problem:
            if match is None or match.unclear:
                trial.never_found()
            part = "bulk.id" if bulk and match and not (match.others or match.unclear) else "find"
            yield trial.fails(BULK, part, problem, *shown, *trial.recorder.last())
            return
        trial.measured(waited)
    yield trial.holds(BULK, "bulk.id" if bulk else "find", "each record is found under the id that its answer says")
    problem = _differing(items, await trial.look_up(items))
    if problem:
        yield trial.fails(FIND, "find", f"asked for {len(items)} records together: {problem}")
    else:
        yield trial.holds(FIND, "find", f"finds {len(items)} records that are asked for together")


def wrong(item: Prepared, match: Found | None) -> str:
    """Return the problem of a record that was created just now; empty when all is well."""
    if match is None:
        return f"{item.key} was created and isn't found"
    if match.unclear or match.others:
        return match.unclear or match.others
    if match.copies > 1:
        return f"finds {item.key} {match.copies} times, and it was created once"
    if item.external_id and match.external_id and match.external_id != item.external_id:
        return f"{item.key} is {match.external_id} there; the answer to its creation said {item.external_id}"
    return "" if match.in_effect else f"in_effect: {item.key} was created just now and isn't held to be in effect"


def _differing(items: Sequence[Prepared], match: Mapping[str, Found]) -> str:
    for item in items:
        problem = wrong(item, match.get(item.key))
        if problem:
            return problem
    return ""
