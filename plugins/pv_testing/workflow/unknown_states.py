"""Service requests in a state that this project doesn't know: no sweep takes them, so a person must hear of them."""

from __future__ import annotations

import time

from pv_testing.domain.reading import text
from pv_testing.domain.status import STATES
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.ledger import Claim, Decision, Ledger, Refusal, State
from pv_testing.ledger.storable import stand_in, storable
from pv_testing.workflow.sweep_backlog import DAY

KIND = "service_request_state"
LOOKED = "framework/unknown_states"


def look_for_unknown_states(framework: FrameworkClient, ledger: Ledger, owner: str) -> dict[str, str]:
    """Let requests in an unknown state wait for a person, and those that have left it wait no more.

    One that a person has confirmed in that state is left alone.

    Args:
        framework: asked once a day for all requests, and otherwise not at all.
        ledger: where they wait.
        owner: who acts.

    Returns:
        The states of those that wait, by their numbers; empty where the framework wasn't asked.
    """
    now = time.time()
    if now - ledger.state(LOOKED, 0.0) < DAY:
        return {}
    rows = framework.list_service_requests()
    keys: dict[str, str] = {}
    for row in rows:
        number = text(row.get("sr_number"))
        if row.get("status") not in STATES:
            keys[number if storable(number) else stand_in(number)] = text(row.get("status"))
    answers = ledger.peek(framework.system, KIND, [Claim(key, state) for key, state in keys.items()])
    confirmed = {answer.key for answer in answers if answer.decision is Decision.UNCHANGED}
    asked = {key: state for key, state in keys.items() if key not in confirmed}
    refusals = [Refusal(key, state, "STATE_UNKNOWN", _reason(state)) for key, state in asked.items()]
    ledger.quarantine(framework.system, KIND, refusals, owner=owner)
    waiting = [entry.key for entry in ledger.entries(framework.system, KIND, [State.QUARANTINED])]
    ledger.release(framework.system, KIND, [key for key in waiting if key not in keys], owner=owner, automatic=True)
    ledger.update(LOOKED, lambda _: now, 0.0)
    return asked


def _reason(state: str) -> str:
    return f"no DAG is about the state {state or '(none)'}; move it in the framework to one of {', '.join(STATES)}"
