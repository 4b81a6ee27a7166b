"""Checks that a look-up finds no record that was never created."""

from __future__ import annotations

from pv_testing.testing.examples import NEVER_MADE
from pv_testing.testing.finding import ABSENT
from pv_testing.testing.trial import ContractTrial, Findings

TEN = 10


async def ten(trial: ContractTrial) -> Findings:
    """Look up ten records that were never created, together and one by one."""
    if trial.find is None:
        return
    if trial.spec.files is not None:
        yield trial.skipped(ABSENT, "find", "a record that no file carries isn't looked up, but sent")
        return
    items = [trial.at(NEVER_MADE + place) for place in range(TEN)]
    for group in (items, items[:1]):
        for key, match in (await trial.look_up(group)).items():
            yield trial.fails(ABSENT, "find", match.unclear or f"finds {key}, which was never created")
            return
    yield trial.holds(ABSENT, "find", f"finds none of {TEN} records that aren't there")
