"""What the DAG of projects remembers is what its workflows remember."""

from __future__ import annotations

from operators.projects import LogHoursOperator, UpdateTasksOperator
from pv_testing.workflows.projects import HOURS_SWEEP, STATUS_SWEEP


def test_the_operators_ask_for_what_the_workflows_remember() -> None:
    assert (UpdateTasksOperator.memory, LogHoursOperator.memory) == (STATUS_SWEEP, HOURS_SWEEP)
