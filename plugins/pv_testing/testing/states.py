"""Does a state stick, by itself and in bulk, and although the answer to it is lost?"""

from __future__ import annotations

from collections.abc import Sequence

from pv_testing.core.errors import IntegrationError
from pv_testing.core.records import Record
from pv_testing.testing import once
from pv_testing.testing.finding import BULK, ONCE, STATES, WORDS
from pv_testing.testing.trial import ContractTrial, Findings

SEVERAL = 3
FIRST_OF_BULK = 2
"""Of the parents before the last, the one whose state is lost is number 1; those after it change theirs in bulk."""


async def each_word(trial: ContractTrial) -> Findings:
    """Set one state after the other and read each back."""
    words = _words(trial)
    if trial.find is None or not words:
        said = "the contract has no look-up to read a state back" if words else "the vocabularies name no state"
        yield trial.skipped(STATES, "", said)
        return
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
        trial.measured(waited)
        done.append(word)
    if not done:
        yield trial.fails(STATES, "find.in_effect", f"holds every state to be in effect already: {', '.join(words)}")
        return
    trial.setting.reached.add(trial.spec.kind)
    yield trial.holds(STATES, "", f"{', '.join(done)}: each was set and stays")


def _word(trial: ContractTrial, word: str) -> str:
    """Return the key of a word in the contract's vocabularies; the operation where it is in none."""
    for name, vocabulary in trial.setting.contract.vocabularies.items():
        for ours, theirs in vocabulary.to_external.items():
            if word in (ours, theirs):
                return f"vocabularies.{name}.{ours}"
    return ""


async def together(trial: ContractTrial) -> Findings:
    """Set the first state of several records in one request and read each back."""
    if trial.spec.bulk is None or trial.find is None:
        yield trial.skipped(BULK, "bulk", "the contract has none" if trial.find else "states can't be read back")
        return
    several = range(FIRST_OF_BULK, FIRST_OF_BULK + SEVERAL)
    records = [await _unset(trial, number) for number in several]
    items = [trial.prepared(record) for record in records if record is not None]
    if len(items) < 2:
        yield trial.skipped(BULK, "bulk", f"the trial has no {SEVERAL} records whose state could be set in one request")
        return
    await trial.send(items)
    shown = trial.recorder.last()
    for item in items:
        found, waited = await trial.until(item, lambda found: found.in_effect)
        if found is None or not found.in_effect:
            said = f"the state of {item.key} was accepted in bulk and doesn't show within {waited:.1f} s"
            yield trial.fails(BULK, "bulk", said, *shown, *trial.recorder.last())
            return
        trial.measured(waited)
    yield trial.holds(BULK, "bulk", f"the states of {len(items)} records were set in one request and stay")


async def withheld(trial: ContractTrial) -> Findings:
    """Set the first state of another record and withhold the answer."""
    record = await _unset(trial, 1)
    if record is None:
        yield trial.skipped(ONCE, "find", "the trial has no other record whose state could be set")
        return
    async for finding in once.carried(trial, record):
        yield finding


async def _unset(trial: ContractTrial, number: int) -> Record | None:
    """Return the first state that another record doesn't have yet; ``None`` where there is no such record or state."""
    for place in range(len(_words(trial))):
        record = trial.of_parent(number, place)
        if record is None:
            return None
        item = trial.prepared(record)
        found = (await trial.look_up([item])).get(item.key)
        if found is None or not found.in_effect:
            return record
    return None


def _words(trial: ContractTrial) -> Sequence[str]:
    assert trial.example.states is not None
    return trial.example.states(trial.setting)
