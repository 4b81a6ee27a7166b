"""Does a change arrive, in the same record; does a state stick?"""

from __future__ import annotations

from dataclasses import replace

from pv_testing.errors import IntegrationError
from pv_testing.exchange.types import Found, Prepared
from pv_testing.testing.finding import STATES, UPDATE, WORDS
from pv_testing.testing.trial import Findings, Trial

CHANGED = 0


async def changed(trial: Trial) -> Findings:
    """Send the next version of the first record and read it back."""
    on_change = trial.operation.limits.on_change
    if on_change == "ignore" or trial.find is None:
        yield trial.skipped(UPDATE, "on_change", f"{on_change}: nothing is sent for a changed record")
        return
    before = trial.at(CHANGED)
    made = trial.made[before.key]
    item = replace(
        trial.prepared(trial.record(CHANGED, changed=True)), external_id=made.external_id, revision=made.revision + 1
    )
    part = "update" if trial.spec.update else "on_change"
    early = (await trial.look_up([item])).get(item.key)
    if early is not None and early.in_effect:
        yield trial.fails(UPDATE, "find.in_effect", f"holds a change of {item.key} to be in effect before it is sent")
        return
    await trial.send([item])
    shown = trial.recorder.last()
    found, waited = await trial.until(item, lambda found: found.in_effect or found.copies > 1)
    problem = _not_changed(item, made, found, in_place=on_change == "update", waited=waited)
    if problem:
        yield trial.fails(UPDATE, part, problem, *shown, *trial.recorder.last())
        return
    trial.waits.add(waited, trial.spec.name)
    yield trial.holds(UPDATE, part, f"{item.key} was changed and reads as it was sent")


def _not_changed(item: Prepared, made: Prepared, found: Found | None, *, in_place: bool, waited: float) -> str:
    if found is None:
        return f"{item.key} isn't found any more after its change"
    if found.copies > 1:
        return f"{item.key} is there {found.copies} times after its change, which creates instead of changing"
    if in_place and made.external_id and found.external_id != made.external_id:
        return f"{item.key} was {made.external_id} and is {found.external_id} after its change, which creates instead"
    return "" if found.in_effect else f"the change of {item.key} was accepted and doesn't show within {waited:.1f} s"


async def states(trial: Trial) -> Findings:
    """Set one state after the other and read each back."""
    assert trial.example.states is not None
    words = trial.example.states(trial.setting)
    done: list[str] = []
    for place, word in enumerate(words):
        item = trial.at(place)
        found = (await trial.look_up([item])).get(item.key)
        if found is not None and found.in_effect:
            continue
        item.external_id = found.external_id if found else ""
        item.revision = 1 + len(done)
        try:
            await trial.send([item])
        except IntegrationError as error:
            yield trial.fails(WORDS, _word(trial, word), f"{word!r} is refused: {error.message} [{error.code}]")
            return
        shown = trial.recorder.last()
        found, waited = await trial.until(item, lambda found: found.in_effect)
        if found is None or not found.in_effect:
            said = f"{word!r} was accepted and doesn't stick: it doesn't show within {waited:.1f} s"
            yield trial.fails(STATES, "find.in_effect" if found is None else "", said, *shown, *trial.recorder.last())
            return
        trial.waits.add(waited, trial.spec.name)
        done.append(word)
    if not done:
        yield trial.fails(STATES, "find.in_effect", f"holds every state to be in effect already: {', '.join(words)}")
        return
    yield trial.holds(STATES, "", f"{', '.join(done)}: each was set and stays")


def _word(trial: Trial, word: str) -> str:
    """Return the key of a word in the contract's vocabularies; the operation where it is in none."""
    for name, vocabulary in trial.setting.contract.vocabularies.items():
        for ours, theirs in vocabulary.to_external.items():
            if word in (ours, theirs):
                return f"vocabularies.{name}.{ours}"
    return ""
