"""Which service requests a workflow is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from operators.chunks import MOST_TASKS, by_size, title
from operators.exchange import owner_of, truth
from operators.lineage import LineageMixin
from operators.locks import locked_out, locks_of
from operators.news import wanted_changes
from operators.priorities import priority_of
from pv_testing.core.priority import using
from pv_testing.core.visible import visible
from pv_testing.workflow.selection import OPEN, choose

if TYPE_CHECKING:
    from airflow.sdk import Context

    from pv_testing.integrations import FrameworkClient
    from pv_testing.workflow.request_locks import RequestLocks
    from pv_testing.workflow.shared_changes import Wanted


class ChooseServiceRequestsOperator(LineageMixin, BaseOperator):
    """Finds the service requests of a workflow and splits them for the mapped task that follows.

    Args:
        states: the states that the workflow is about; the open ones by default.
        sweep: the workflow's name in the ledger, such as ``lims/results``: of the requests in these states, and of
            those that it has begun with and not finished, only those are taken that have changed or wait for something.
            They are locked for the run, until the task that carries them in this sweep has ended.
        adopts: with ``sweep``, whether it begins with requests that it finds; else another task tells it of them.
        executions: with ``sweep``, the state of those executions whose changes matter, empty for all of them; without
            it, those of none do.
        checkpoint: with ``sweep``, where the ledger remembers which executions are settled, such as ``lims/result``: a
            closed service request that was finished is taken again when one of these changes.
        unknown_states: look once a day for requests in a state that no workflow is about; they wait for a person.
        dry_run: don't remember which are taken.
        service_request: the number or the id of the only one to take.
        most_tasks: how many tasks there may be at the most.
        framework_conn_id: the connection of the framework.
        ledger_conn_id: the connection of the ledger.
    """

    template_fields: Sequence[str] = ("service_request", "is_dry_run", "framework_conn_id", "ledger_conn_id")
    ui_color = "#e8eef7"

    def __init__(
        self,
        *,
        states: Sequence[str] = OPEN,
        sweep: str = "",
        adopts: bool = True,
        executions: str | None = None,
        checkpoint: str = "",
        service_request: str = "",
        unknown_states: bool = False,
        dry_run: bool | str = False,
        most_tasks: int = MOST_TASKS,
        framework_conn_id: str = "pv_framework",
        ledger_conn_id: str = "pv_ledger",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.states = states
        self.sweep = sweep
        self.adopts = adopts
        self.executions = executions
        self.checkpoint = checkpoint
        self.service_request = service_request
        self.unknown_states = unknown_states
        self.is_dry_run = dry_run
        self.most_tasks = most_tasks
        self.framework_conn_id = framework_conn_id
        self.ledger_conn_id = ledger_conn_id
        self.sizes: dict[str, int] = {}

    def chosen(self, context: Context) -> dict[str, int]:
        """Return the ids of the service requests by their numbers, and lock them for the run.

        Raises:
            RequestLocked: the only one that is wanted is carried by another run.
        """
        from hooks.framework import FrameworkHook
        from hooks.ledger import LedgerHook

        owner, wanted = owner_of(context), str(self.service_request or "").strip()
        with (
            LedgerHook(self.ledger_conn_id).get_conn() as ledger,
            FrameworkHook(self.framework_conn_id).get_client(ledger, owner) as framework,
        ):
            if wanted or not self.sweep:
                ids = choose(framework, self.states, wanted)
            else:
                ids = self._sweep(framework, owner, wanted_changes(context))
            if truth(self.is_dry_run) or not self.sweep:
                return ids
            return self._locked(ids, locks_of(ledger, context, self.sweep), only=bool(wanted))

    def _locked(self, ids: dict[str, int], locks: RequestLocks, *, only: bool) -> dict[str, int]:
        """Lock service requests and return those that no other run carries; what is left is read by a later run."""
        others = locks.lock(ids)
        if others and only:
            raise locked_out(others)
        for number, run_id in others.items():
            self.log.info("%s is left to the run %s, which is carrying it", visible(number), visible(run_id))
        return {number: sr_id for number, sr_id in ids.items() if number not in others}

    def _sweep(self, framework: FrameworkClient, owner: str, changes: Wanted) -> dict[str, int]:
        from pv_testing.workflow.sweep import Sweep
        from pv_testing.workflow.unknown_states import look_for_unknown_states

        keep, ledger = not truth(self.is_dry_run), framework.ledger
        if self.unknown_states and keep:
            for number, state in look_for_unknown_states(framework, ledger, owner).items():
                shown = visible(number)
                self.log.warning("%s is taken by no DAG, because its state %r is unknown; it waits", shown, state)
        sweep = Sweep(
            framework,
            ledger,
            self.sweep,
            self.states,
            executions=self.executions,
            checkpoint=self.checkpoint,
            adopts=self.adopts,
        )
        ids = sweep.due(keep=keep, wanted=changes)
        self.sizes = sweep.sizes
        return ids

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return the arguments of each mapped task: the ids of its service requests, and a title that names them."""
        with using(priority_of(context)):
            ids = self.chosen(context)
        parts = by_size(list(ids), self.sizes, self.most_tasks)
        titles = [title(part) for part in parts]
        self.log.info("%d service requests in %d tasks: %s", len(ids), len(parts), visible(", ".join(titles) or "none"))
        tasks: list[dict[str, Any]] = []
        for part, name in zip(parts, titles, strict=True):
            tasks.append({"service_requests": [ids[number] for number in part], "title": name})
        return tasks
