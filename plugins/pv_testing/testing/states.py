"""Checks that a state stays, by itself and in bulk, and although the answer to it is lost."""

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
    if not trial.is_looked_up or not words:
        message = "the contract has no look-up to read a state back" if words else "the vocabularies name no state"
        yield trial.skipped(STATES, "", message)
        return
    done: list[str] = []
    for place, word in enumerate(words):
        item = trial.at(place)
        match = (await trial.look_up([item])).get(item.key)
        if match is not None and match.in_effect:
            continue
        item.external_id = match.external_id if match else ""
        item.revision = 1 + len(done)
        try:
            await trial.send([item])
        except IntegrationError as error:
            yield trial.fails(WORDS, _word(trial, word), f"{word!r} is refused: {error.message} [{error.code}]")
            return
        shown = trial.recorder.last()
        match, waited = await trial.until(item, lambda match: match.in_effect)
        if match is None or not match.in_effect:
            message = f"{word!r} was accepted and doesn't stick: it doesn't show within {waited:.1f} s"
            yield trial.fails(
                STATES, "find.in_effect" if match is None else "", message, *shown, *trial.recorder.last()
            )
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
    if trial.together < 2 or not trial.is_looked_up:
        reason = "the contract has none" if trial.is_looked_up else "states can't be read back"
        yield trial.skipped(BULK, "bulk", reason)
        return
    several = range(FIRST_OF_BULK, FIRST_OF_BULK + SEVERAL)
    records = [await _unset(trial, number) for number in several]
    items = [trial.prepared(record) for record in records if record is not None]
    if len(items) < 2:
        yield trial.skipped(BULK, "bulk", f"the trial has no {SEVERAL} records whose state could be set {trial.in_one}")
        return
    await trial.send(items)
    shown = trial.recorder.last()
    for item in items:
        match, waited = await trial.until(item, lambda match: match.in_effect)
        if match is None or not match.in_effect:
            message = f"the state of {item.key} was accepted in bulk and doesn't show within {waited:.1f} s"
            yield trial.fails(BULK, "bulk", message, *shown, *trial.recorder.last())
            return
        trial.measured(waited)
    yield trial.holds(BULK, "bulk", f"the states of {len(items)} records were set {trial.in_one} and stay")


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
        match = (await trial.look_up([item])).get(item.key)
        if match is None or not match.in_effect:
            return record
    return None


def _words(trial: ContractTrial) -> Sequence[str]:
    assert trial.example.states is not None
    return trial.example.states(trial.setting)
