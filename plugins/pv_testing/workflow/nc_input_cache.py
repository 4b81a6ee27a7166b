"""From which facts reports were written, so that nothing but other facts writes a report anew.

A report is a record of quality: it must not change, or be refused because it is closed, when the laboratory changes its
rules or this project its wording. These apply to the reports that are made from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pv_testing.core.records import Outcome
from pv_testing.ledger import Ledger
from pv_testing.workflow.execution_checkpoint import digest

EMPTY: dict[str, str] = {}


class NcInputCache:
    """What the ledger remembers of the reports on one service request's executions.

    Args:
        ledger: where it is remembered.
        name: such as ``qms/nc_facts/SR-2025-0123``.
    """

    def __init__(self, ledger: Ledger, name: str) -> None:
        self._ledger = ledger
        self._name = name
        self._kept: dict[str, str] = ledger.state(name, {})
        self._facts: dict[str, str] = {}

    def has(self, execution_id: str, facts: Mapping[str, Any]) -> bool:
        """Whether the report in effect was written from these very facts."""
        self._facts[execution_id] = digest(facts)
        return self._kept.get(execution_id) == self._facts[execution_id]

    def keep(self, outcomes: Iterable[Outcome]) -> None:
        """Remember the facts of the reports that are in effect now."""
        done = {outcome.key for outcome in outcomes if outcome.result.in_effect}
        new = {name: facts for name, facts in self._facts.items() if name in done}
        self._ledger.update(self._name, lambda kept: {**kept, **new}, EMPTY)
