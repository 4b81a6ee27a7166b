"""Service requests become projects: tasks, how far they are, and the hours that went into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from operators.exchange import ExchangeOperator, Workflow
from operators.links import TaskLink

if TYPE_CHECKING:
    from pv_testing.integrations import FrameworkClient


class CreateTasksOperator(ExchangeOperator):
    """Creates the main task of each open service request, and its subtasks once the protocols are assigned.

    It comes back to requests that are closed meanwhile, until their tasks are there. The arguments are those of
    :class:`~operators.exchange.ExchangeOperator`.
    """

    systems: ClassVar[Sequence[str]] = ("pm",)
    operator_extra_links = (TaskLink(),)
    sweep = "pm/projects"

    def workflow(self) -> Workflow:
        """Return the step itself."""
        from pv_testing.projects.tasks import create_tasks

        return create_tasks


class _FollowingOperator(ExchangeOperator):
    """Follows the service requests that have tasks, until they are closed and nothing is left to do."""

    systems: ClassVar[Sequence[str]] = ("pm",)

    def chosen(self, framework: FrameworkClient) -> list[int]:
        """Return the ids of the service requests that have tasks, and that have changed or of which something waits.

        Args:
            framework: where they are; its client has the ledger.
        """
        if str(self.service_request or "").strip():
            return super().chosen(framework)
        from operators.service_requests import OPEN

        return self.due(framework, OPEN, executions="", adopts=False)


class UpdateTasksOperator(_FollowingOperator):
    """Brings subtasks, progress and main tasks up to date.

    Without ``service_requests`` it takes those that have tasks, also closed ones until their main task is complete. The
    arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    operator_extra_links = (TaskLink(),)
    sweep = "pm/tasks"

    def workflow(self) -> Workflow:
        """Return the step itself."""
        from pv_testing.projects.task_updates import update_tasks

        return update_tasks


class LogHoursOperator(_FollowingOperator):
    """Enters the hours of operators and of equipment for completed executions.

    Without ``service_requests`` it takes those that have tasks, also closed ones until all their hours are entered. The
    arguments are those of :class:`~operators.exchange.ExchangeOperator`.
    """

    operator_extra_links = ()
    sweep = "pm/hours"

    def workflow(self) -> Workflow:
        """Return the step itself."""
        from pv_testing.projects.time_entries import log_hours

        return log_hours
