"""What the steps of project management share: the laboratory's rules, and which executions have begun."""

from __future__ import annotations

from collections.abc import Sequence

from pv_testing.core.records import Outcome, Result
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.status import TESTED
from pv_testing.exchange.report import Report
from pv_testing.integrations.framework import FrameworkClient, gather_bounded
from pv_testing.integrations.pm import PMClient
from pv_testing.projects import ProjectRules
from pv_testing.workflow.executions import readable
from pv_testing.workflow.step import Step

RequestExecutions = Sequence[tuple[ServiceRequest, Sequence[Execution]]]


class ProjectStep(Step[PMClient, list[Report]]):
    """A step whose records go to project management.

    Args:
        framework: where the requests are.
        pm: where the tasks are.
        rules: the laboratory's; those of ``projects.yaml`` by default.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.
    """

    def __init__(
        self,
        framework: FrameworkClient,
        pm: PMClient,
        rules: ProjectRules | None = None,
        *,
        replay: bool = False,
        dry_run: bool = False,
    ) -> None:
        super().__init__(framework, pm, replay=replay, dry_run=dry_run)
        self.rules = rules or ProjectRules.read()

    async def under_test(self) -> tuple[RequestExecutions, list[Outcome]]:
        """Return the service requests whose tests have begun, each with the executions that the framework lists.

        The listing says all that tasks and hours need; no results are read. An execution that begins while the listing
        is read may shift another one from one page into the next; each counts once, with its last row. A request of
        which a row can't be understood is left out, because its progress is unknown; the outcomes of such rows are
        returned too.
        """
        tested = [request for request in self.requests if request.status in TESTED]
        reads = [self.framework.alist("list_executions", sr_id=request.id) for request in tested]
        self._names: dict[str, set[str]] = {}
        under_test: list[tuple[ServiceRequest, Sequence[Execution]]] = []
        all_unread: list[Outcome] = []
        for request, rows in zip(tested, await gather_bounded(reads, limit=2), strict=True):
            executions, unread = readable(request, rows)
            all_unread += unread
            self._names[request.sr_number] = {each.execution_id for each in executions} | {each.key for each in unread}
            if not unread:
                distinct = {execution.execution_id: execution for execution in executions}
                under_test.append((request, list(distinct.values())))
        return under_test, all_unread


class FollowingStep(ProjectStep):
    """A step that follows the requests that have tasks, until they are closed and nothing is left to do."""

    executions = ""
    adopts = False

    def names_in_keys(self, sr_number: str) -> set[str]:
        """Return the number of a request and the ids of its executions."""
        return {sr_number} | self._names.get(sr_number, set())


def unknown(key: str, task: str) -> Outcome:
    """Return the outcome of a record whose task isn't there yet.

    Args:
        key: the record's business key.
        task: names the task.
    """
    reason = f"{task} is not in project management yet; the task create_tasks of pv_projects creates it"
    return Outcome(key, Result.DEFERRED, code="TASK_UNKNOWN", reason=reason)
