"""Is a record that was created found, under its id; has each of many the id that it was given?"""

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
    if trial.find is None:
        yield trial.skipped(FIND, "find", "the contract has none; a person decides on lost answers")
        return
    found, waited = await trial.until(item, lambda found: not found.unclear)
    if found is None:
        trial.never_found()
        said = f"{item.key} was created and isn't found within {waited:.1f} s"
        yield trial.fails(FIND, "find", said, *shown, *trial.recorder.last())
        return
    if found.unclear:
        trial.never_found()
    else:
        trial.measured(waited)
    problem = wrong(item, found)
    if problem:
        yield trial.fails(FIND, "find", problem, *shown, *trial.recorder.last())
    else:
        yield trial.holds(FIND, "find", f"finds {item.key} {found.external_id and f'as {found.external_id}'}".rstrip())


async def many(trial: ContractTrial) -> Findings:
    """Create several, in one request where the contract can, and look them up one by one and together."""
    bulk = trial.spec.bulk
    places = range(1, 1 + min(MANY, bulk.size if bulk else MANY))
    items: list[Prepared] = []
    for batch in [places] if bulk else [[place] for place in places]:
        items += await trial.create(batch)
    shown = trial.recorder.last()
    for item in items:
        trial.keep(item)
    how = "in one request" if bulk else "one by one"
    yield trial.holds(BULK, "bulk" if bulk else "", f"{len(items)} records were created {how}")
    if trial.find is None:
        return
    for item in items:
        found, waited = await trial.until(item, lambda found: not found.unclear)
        problem = wrong(item, found)
        if problem:
            if found is None or found.unclear:
                trial.never_found()
            part = "bulk.id" if bulk and found and not (found.others or found.unclear) else "find"
            yield trial.fails(BULK, part, problem, *shown, *trial.recorder.last())
            return
        trial.measured(waited)
    yield trial.holds(BULK, "bulk.id" if bulk else "find", "each record is found under the id that its answer says")
    problem = _differing(items, await trial.look_up(items))
    if problem:
        yield trial.fails(FIND, "find", f"asked for {len(items)} records together: {problem}")
    else:
        yield trial.holds(FIND, "find", f"finds {len(items)} records that are asked for together")


def wrong(item: Prepared, found: Found | None) -> str:
    """Say what is wrong with what was found of a record that was created just now; nothing where all is well."""
    if found is None:
        return f"{item.key} was created and isn't found"
    if found.unclear or found.others:
        return found.unclear or found.others
    if found.copies > 1:
        return f"finds {item.key} {found.copies} times, and it was created once"
    if item.external_id and found.external_id and found.external_id != item.external_id:
        return f"{item.key} is {found.external_id} there; the answer to its creation said {item.external_id}"
    return "" if found.in_effect else f"in_effect: {item.key} was created just now and isn't held to be in effect"


def _differing(items: Sequence[Prepared], found: Mapping[str, Found]) -> str:
    for item in items:
        problem = wrong(item, found.get(item.key))
        if problem:
            return problem
    return ""
