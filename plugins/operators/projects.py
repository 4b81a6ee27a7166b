"""Service requests become projects: tasks, how far they are, and the hours that went into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from operators.exchange import ExchangeOperator
from operators.links import TaskLink

if TYPE_CHECKING:
    from pv_testing.workflow.step import Step


class CreateTasksOperator(ExchangeOperator):
    """Creates the main task of each open service request, and its subtasks once the protocols are assigned.

    It comes back to requests that are closed meanwhile, until their tasks are there. The arguments are those of
    :class:`~operators.exchange.ExchangeOperator`.
    """

    systems: ClassVar[Sequence[str]] = ("pm",)
    operator_extra_links = (TaskLink(),)

    def step(self) -> type[Step[Any, Any]]:
        """Return the step that creates tasks."""
        from pv_testing.projects.tasks import CreateTasks

        return CreateTasks


class UpdateTasksOperator(ExchangeOperator):
    """Brings subtasks, progress and main tasks up to date.

    Without ``service_requests`` it takes those that have tasks, also closed ones until their main task is complete. The
    arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    systems: ClassVar[Sequence[str]] = ("pm",)
    operator_extra_links = (TaskLink(),)

    def step(self) -> type[Step[Any, Any]]:
        """Return the step that brings tasks up to date."""
        from pv_testing.projects.task_updates import UpdateTasks

        return UpdateTasks


class LogHoursOperator(ExchangeOperator):
    """Enters the hours of operators and of equipment for completed executions.

    Without ``service_requests`` it takes those that have tasks, also closed ones until all their hours are entered. The
    arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    systems: ClassVar[Sequence[str]] = ("pm",)
    operator_extra_links = ()

    def step(self) -> type[Step[Any, Any]]:
        """Return the step that enters hours."""
        from pv_testing.projects.time_entries import LogHours

        return LogHours
