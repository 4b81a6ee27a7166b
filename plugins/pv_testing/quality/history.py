"""What the laboratory has tested, as the analysis of failures counts it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pv_testing.core.errors import DataError
from pv_testing.core.values import instant
from pv_testing.domain.reading import first, read_execution, text
from pv_testing.domain.records import Execution
from pv_testing.domain.status import COMPLETE
from pv_testing.domain.verdict import QualityStatus, read_status


@dataclass(frozen=True, slots=True)
class CountedExecution:
    """One completed execution.

    Attributes:
        execution_id: its business key.
        protocol_id: what was tested.
        module: the module's serial number; the execution's id where the framework doesn't say.
        sr_number: the service request's number, or its id where only that is known.
        completed_at: when it ended.
        failed: whether the verdict on the whole execution is FAIL.
        model: manufacturer and model of the module; empty where unknown.
        equipment: identifiers of the equipment used.
        criteria: parameters of the criteria that failed, where the results have been read.
    """

    execution_id: str
    protocol_id: str
    module: str
    sr_number: str
    completed_at: datetime
    failed: bool
    model: str = ""
    equipment: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()

    def values(self, kind: str) -> tuple[str, ...]:
        """Return the names under which the execution counts.

        Args:
            kind: ``protocol``, ``model``, ``equipment`` or ``criterion``.
        """
        if kind == "protocol":
            return (self.protocol_id,)
        if kind == "model":
            return (self.model,) if self.model else ()
        return self.equipment if kind == "equipment" else self.criteria


class History:
    """Executions in the order of their completion.

    Args:
        trials: in any order; of two with the same id the last one counts.
    """

    def __init__(self, trials: Iterable[CountedExecution]) -> None:
        distinct = {trial.execution_id: trial for trial in trials}
        self._trials = sorted(distinct.values(), key=lambda trial: (trial.completed_at, trial.execution_id))
        self._times = [trial.completed_at for trial in self._trials]

    def __len__(self) -> int:
        return len(self._trials)

    def between(self, start: datetime, end: datetime) -> Sequence[CountedExecution]:
        """Return the executions that were completed from ``start`` on and before ``end``."""
        return self._trials[bisect_left(self._times, start) : bisect_left(self._times, end)]


def read_trials(
    rows: Iterable[Mapping[str, Any]], models: Mapping[str, Mapping[str, str]]
) -> tuple[list[CountedExecution], list[str]]:
    """Read a listing of executions.

    Args:
        rows: as the framework lists them; those that aren't complete are left out.
        models: manufacturer and model of the modules, by service request and serial number; under the empty serial
            number that of all its modules.

    Returns:
        The executions, and remarks on those that can't be counted.
    """
    trials, notes = [], []
    for row in rows:
        try:
            execution = read_execution(row)
            if execution.status == COMPLETE:
                trials.append(_trial(execution, text(first(row, "sr_number")), models))
        except DataError as error:
            notes.append(f"execution {text(first(row, 'execution_id', 'id'))} isn't counted: {error.message}")
    return trials, notes


def _trial(execution: Execution, sr_number: str, models: Mapping[str, Mapping[str, str]]) -> CountedExecution:
    own = models.get(text(execution.sr_id), {})
    return CountedExecution(
        execution_id=execution.execution_id,
        protocol_id=execution.protocol_id,
        module=execution.serial_number or f"execution {execution.execution_id}",
        sr_number=sr_number or text(execution.sr_id),
        completed_at=moment(execution.completed_at),
        failed=read_status(execution.qc_status) is QualityStatus.FAIL,
        model=own.get(execution.serial_number, own.get("", "")),
        equipment=tuple(sorted(set(execution.equipment))),
    )


def moment(value: str) -> datetime:
    """Read a point in time; one without a zone is taken as UTC.

    Raises:
        DataError: it is none.
    """
    return datetime.fromisoformat(instant(value).replace("Z", "+00:00"))


def model_name(details: Mapping[str, Any]) -> str:
    """Return manufacturer and model of a module as one name, such as ``AstraSolar AST-400-M``."""
    return f"{text(details.get('manufacturer'))} {text(details.get('model'))}".strip()
