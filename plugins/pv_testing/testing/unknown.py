"""Checks that a request with an unknown id isn't taken for a success.

A system may refuse under HTTP 200. A contract that misses the refusal reports a record that isn't there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from pv_testing.core.errors import AmbiguousOutcome, DataError, IntegrationError, NetworkError, RateLimited
from pv_testing.core.records import Found, Prepared, Reply, Verdict
from pv_testing.testing.answering import answered
from pv_testing.testing.example import absent
from pv_testing.testing.examples import OF_NOTHING
from pv_testing.testing.finding import REFUSED, TrialEvidence, TrialFinding, TrialVerdict
from pv_testing.testing.trial import ContractTrial, Findings

TRIES = 2
TAKEN = (
    "the system's answer to an id that isn't there is taken as success; add a rule that knows the refusal, or say with "
    "reply.id where each success has its id"
)
UPSERT = "creates what isn't there instead of refusing it, so that a record that was deleted there would come back"
NOT_KNOWN = (
    "the system's refusal of an id that isn't there is neither taken as success nor known as a refusal, so that such a "
    "record is looked up and sent again; a rule would let it wait for a person at once"
)
ORPHAN = "the system takes a record that belongs to an id that isn't there, and has it; so no refusal was to be seen"


class Asked(NamedTuple):
    """A request with an id that isn't there.

    Attributes:
        item: the record.
        part: of the operation, which makes the request.
        id: the id.
        true: the record's own id, which a provider may look up by itself; empty where there is none.
    """

    item: Prepared
    part: str
    id: str
    true: str = ""


async def refused(trial: ContractTrial) -> Findings:
    """Send each request that carries an id of the system with one that isn't there."""
    for ask in (_change, _of_parent):
        try:
            asked = ask(trial)
        except DataError:
            continue
        if asked is not None:
            yield await _finding(trial, asked)


def _change(trial: ContractTrial) -> Asked | None:
    """Return the change of a record under another id; ``None`` where a change carries none."""
    update, place = trial.spec.update, 0
    made = trial.made.get(trial.record(place).key)
    if update is None or trial.spec.on_change != "update" or made is None or not made.external_id:
        return None
    if "id" not in (*update.path.names, *(name for _, name in update.stamps)):
        return None
    item = trial.prepared(trial.record(place, changed=True))
    item.external_id, item.revision = absent(made.external_id), made.revision + 1
    return Asked(item, "update", item.external_id, made.external_id)


def _of_parent(trial: ContractTrial) -> Asked | None:
    """Return a record or state that belongs to an id that isn't there; ``None`` where its request carries none."""
    known = trial.setting.ids
    there = {kind: known[kind] for kind in trial.example.needs if known.get(kind)}
    if not there:
        return None
    unknown = {kind: [absent(ids[-1])] for kind, ids in there.items()}
    place = OF_NOTHING if trial.example.states is None else 0
    setting = replace(trial.setting, ids={**known, **unknown})
    item = trial.prepared(trial.example.record(setting, trial.spec.kind, place))
    if item.payload == trial.at(place).payload:
        return None
    return Asked(item, "", ", ".join(ids[0] for ids in unknown.values()))


async def _finding(trial: ContractTrial, asked: Asked) -> TrialFinding:
    """Send a request and return the finding on the engine's reading of the answer."""
    reply = await _answer(trial, asked.item)
    shown = trial.recorder.last()
    if reply.verdict is Verdict.OK and not (asked.true and reply.external_id == asked.true):
        return await _taken(trial, asked, shown)
    if reply.verdict is Verdict.OK:
        return trial.holds(REFUSED, asked.part, f"{asked.id}, which isn't there, isn't used: the record is found anew")
    match = None if asked.true or reply.verdict is Verdict.REJECTED else await _found(trial, asked.item)
    if match is not None and match.in_effect:
        message = f"{trial.spec.name} of {asked.id}, which isn't there, is held to be in effect"
        return trial.fails(REFUSED, "find", message, *shown, *trial.recorder.last())
    if reply.verdict is Verdict.AMBIGUOUS:
        return TrialFinding(REFUSED, "errors.rules", f"{trial.spec.name}: {NOT_KNOWN}", TrialVerdict.NOTED, shown)
    message = f"{asked.id}, which isn't there, is not taken as success: {reply.reason} [{reply.code}]"
    return trial.holds(REFUSED, asked.part, message)


async def _answer(trial: ContractTrial, item: Prepared) -> Reply:
    """Return the answer to a request; send it again after a lost answer, which says nothing of the contract."""
    for _ in range(TRIES):
        try:
            (reply,) = await answered(trial, [item])
        except (AmbiguousOutcome, NetworkError, RateLimited) as error:
            verdict = Verdict.AMBIGUOUS if isinstance(error, AmbiguousOutcome) else Verdict.RETRYABLE
            reply = Reply(verdict, reason=error.message, code=error.code)
        except IntegrationError as error:
            return Reply(Verdict.REJECTED, reason=error.message, code=error.code)
        else:
            return reply
    return reply


async def _taken(trial: ContractTrial, asked: Asked, shown: Sequence[TrialEvidence]) -> TrialFinding:
    """Return the finding on a request that has succeeded and should not."""
    match = await _found(trial, asked.item)
    if match is None or not _created(asked, match):
        return trial.fails(REFUSED, "errors.rules", f"{trial.spec.name}: {TAKEN}", *shown)
    if asked.part or trial.example.states is not None:
        return trial.fails(REFUSED, asked.part, f"{asked.id}: {UPSERT}", *shown, *trial.recorder.last())
    asked.item.external_id = match.external_id
    trial.keep(asked.item)
    return trial.skipped(REFUSED, "", ORPHAN)


async def _found(trial: ContractTrial, item: Prepared) -> Found | None:
    """Return the look-up's result for a record; ``None`` where there is none or it is unclear."""
    try:
        match = (await trial.look_up([item])).get(item.key)
    except IntegrationError:
        return None
    return None if match is None or match.unclear else match


def _created(asked: Asked, match: Found) -> bool:
    """Whether the look-up shows that the request has created a record beside the changed one."""
    return not asked.true or match.copies > 1 or match.external_id != asked.true
