"""The step that all workflows share: open the systems, run an exchange, say what became of every record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from operators.lineage import LineageMixin, remember
from operators.links import SampleLink
from operators.locks import locked_out, locks_of
from operators.news import wanted_changes
from operators.priorities import priority_of
from operators.retry_policy import ErrorTreeRetryPolicy, can_mend
from pv_testing.core.priority import using
from pv_testing.core.reasons import Reason
from pv_testing.core.visible import visible

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from hooks.system import SystemHook
    from pv_testing.exchange.report import Report
    from pv_testing.integrations import FrameworkClient
    from pv_testing.integrations.client import SystemClient
    from pv_testing.workflow.request_locks import RequestLocks
    from pv_testing.workflow.shared_changes import Wanted
    from pv_testing.workflow.step import Step

KEYS_SHOWN = 50
PASSES = 3
"""How often a task carries a service request that changes all the while; then a later run reads it."""


class ExchangeOperator(LineageMixin, BaseOperator):
    """Runs one step of a workflow over service requests, each record exactly once.

    The task fails at its end when a record is not in effect, and only then; another try sends only what is missing. It
    is skipped when the configuration disables a system that it needs.

    Args:
        service_requests: the framework's ids; without them the step chooses those that it is about.
        title: names them in the UI.
        service_request: the number or id of the only one, where the step chooses itself.
        dry_run: say what would happen, and change nothing anywhere.
        replay: try records again that wait for a person.
        framework_conn_id: the connection of the framework.
        lims_conn_id: the connection of the LIMS.
        qms_conn_id: the connection of the QMS.
        pm_conn_id: the connection of the project management system.
        erp_conn_id: the connection of the ERP.
        ledger_conn_id: the connection of the ledger.
    """

    systems: ClassVar[Sequence[str]] = ("lims",)
    takes_all: ClassVar[bool] = False
    """Whether the step takes all open service requests when none are given, and not only those with something to do."""
    without_operation: ClassVar[str] = ""
    """What it means that the contract of the system has no operation of the step; empty where that is an error."""

    template_fields: Sequence[str] = (
        "service_requests",
        "title",
        "service_request",
        "is_dry_run",
        "replay",
        "framework_conn_id",
        "lims_conn_id",
        "qms_conn_id",
        "pm_conn_id",
        "erp_conn_id",
        "ledger_conn_id",
    )
    operator_extra_links: Collection[BaseOperatorLink] = (SampleLink(),)
    ui_color = "#e4f1e1"

    def __init__(
        self,
        *,
        service_requests: Sequence[int] | str | None = None,
        title: str = "",
        service_request: str = "",
        dry_run: bool | str = False,
        replay: bool | str = False,
        framework_conn_id: str = "pv_framework",
        lims_conn_id: str = "pv_lims",
        qms_conn_id: str = "pv_qms",
        pm_conn_id: str = "pv_pm",
        erp_conn_id: str = "pv_erp",
        ledger_conn_id: str = "pv_ledger",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retry_policy", ErrorTreeRetryPolicy())
        super().__init__(**kwargs)
        self.service_requests = service_requests
        self.title = title
        self.service_request = service_request
        self.is_dry_run = dry_run
        self.replay = replay
        self.framework_conn_id = framework_conn_id
        self.lims_conn_id = lims_conn_id
        self.qms_conn_id = qms_conn_id
        self.pm_conn_id = pm_conn_id
        self.erp_conn_id = erp_conn_id
        self.ledger_conn_id = ledger_conn_id
        self.record_page = ""
        self.changes: Wanted | None = None
        self.locks_in: Callable[[str], RequestLocks] | None = None

    def step(self) -> type[Step[Any, Any]]:
        """Return the step that the operator runs; imported when it is needed and not before."""
        raise NotImplementedError

    def given(self) -> list[int]:
        """Return the ids of the service requests that the task was given."""
        return [int(sr_id) for sr_id in self.service_requests or ()]

    def chosen(self, step: Step[Any, Any]) -> list[int]:
        """Return the ids of the service requests of the run.

        Args:
            step: chooses those that it has something to do for when none are given.
        """
        from pv_testing.workflow.selection import OPEN, choose

        if self.service_requests is not None:
            return self.given()
        wanted = str(self.service_request or "").strip()
        ids = choose(step.framework, OPEN, wanted) if self.takes_all else step.choose(wanted, changes=self.changes)
        return list(ids.values())

    def run_step(self, framework: FrameworkClient, *clients: Any, replay: bool, dry_run: bool) -> Report | list[Report]:
        """Run the step over the service requests.

        Args:
            framework: where they are.
            clients: of ``systems``, in their order.
            replay: try records again that wait for a person.
            dry_run: change nothing anywhere.
        """
        from pv_testing.core.sync import run

        if self.locks_in is not None and self.service_requests is not None and not dry_run:
            locks = self.locks_in(self.step().sweep)
            if locks.in_use():
                return self._run_locked(locks, framework, *clients, replay=replay)
        step = self.step()(framework, *clients, replay=replay, dry_run=dry_run)
        made: Report | list[Report] = run(step.run(self.chosen(step)))
        return made

    def _run_locked(self, locks: RequestLocks, framework: FrameworkClient, *clients: Any, replay: bool) -> list[Report]:
        """Run the step over the service requests that were given, while no other run of the DAG carries them.

        A run that sees one changed meanwhile leaves it to this one, which therefore carries it once more.
        """
        from pv_testing.core.errors import IntegrationError
        from pv_testing.core.sync import run
        from pv_testing.integrations.framework import unread_name
        from pv_testing.workflow.sweep_backlog import SweepBacklog

        numbers = SweepBacklog(framework.ledger, self.step().sweep).numbers()
        ids = {numbers.get(sr_id, unread_name(sr_id)): sr_id for sr_id in self.given()}
        if others := locks.lock(ids):  # a person may have cleared the task of an earlier run
            locks.unlock(ids.values())
            raise locked_out(others)
        reports: list[Report] = []
        again: set[str] = set()
        try:
            for number in range(1, PASSES + 1):
                step = self.step()(framework, *clients, replay=replay)
                reports = continued(reports, listed(run(step.run(ids.values()))), again)
                if any(map(may_be_mended, reports)):
                    break  # the next try has the locks of this one
                locks.unlock(ids.values())
                changed = step.backlog.changed(ids.values()) if number < PASSES else {}
                others = locks.lock(changed)
                ids = {name: sr_id for name, sr_id in changed.items() if name not in others}
                if not ids:
                    break
                again = set(map(unread_name, ids.values())).union(*map(step.names_in_keys, ids))
                self.log.info("carried once more, as changed meanwhile: %s", visible(", ".join(ids)))
        except IntegrationError as error:
            if not can_mend(error):
                locks.unlock(ids.values())
            if not reports:
                raise
            reports[0].error = error  # and what was done before is said
        return reports

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the exchange and return what became of the records, in numbers.

        Raises:
            ExchangeIncomplete: some records are not in effect; the log names each of them with its reason.
            IntegrationError: what stopped the exchange.
            AirflowSkipException: a system that the step needs is disabled, or has no such operation.
        """
        from pv_testing.core.errors import ConfigError

        self.changes = wanted_changes(context)
        try:
            with using(priority_of(context, replay=truth(self.replay))):
                reports = self._exchange(context)
        except ConfigError as error:
            if self.without_operation and error.code == Reason.NO_OPERATION:
                raise AirflowSkipException(f"{self.without_operation}: {error}") from None
            raise
        return conclude(self, reports, context, dry_run=truth(self.is_dry_run))

    def _exchange(self, context: Context) -> list[Report]:
        hooks = {system: self.hook(system) for system in ("framework", *self.systems)}
        with open_clients(hooks, self.ledger_conn_id, owner_of(context)) as (framework, *clients):
            self.locks_in = partial(locks_of, framework.ledger, context)
            reports = listed(
                self.run_step(framework, *clients, replay=truth(self.replay), dry_run=truth(self.is_dry_run))
            )
            remember(self, (framework, *clients), reports)
            self.record_page = page_of(hooks, reports)
        return reports

    def hook(self, system: str) -> SystemHook[Any]:
        """Return the hook of a system on the connection that the step was given.

        Args:
            system: such as ``qms``.
        """
        return hook_of(system, getattr(self, f"{system}_conn_id"))


def hook_of(system: str, conn_id: str) -> SystemHook[Any]:
    """Return the hook of a system; imported when it is needed and not before."""
    from hooks.provider_info import HOOKS

    module, _, name = HOOKS[system].rpartition(".")
    hook: SystemHook[Any] = getattr(import_module(module), name)(conn_id)
    return hook


@contextmanager
def open_clients(hooks: dict[str, SystemHook[Any]], ledger_conn_id: str, owner: str) -> Iterator[list[Any]]:
    """Open the ledger and a client of each hook's system, and close them all at the end.

    Args:
        hooks: by system.
        ledger_conn_id: the connection of the ledger.
        owner: who acts.

    Raises:
        AirflowSkipException: a system is disabled.
    """
    from hooks.ledger import LedgerHook
    from pv_testing.core.errors import ConfigError
    from pv_testing.core.heap import freeze_once

    with ExitStack() as stack:
        ledger = stack.enter_context(LedgerHook(ledger_conn_id).get_conn())
        clients: list[SystemClient] = []
        for hook in hooks.values():
            try:
                clients.append(stack.enter_context(hook.get_client(ledger, owner)))
            except ConfigError as error:
                if error.code == Reason.DISABLED:
                    raise AirflowSkipException(str(error)) from None
                raise
        freeze_once()
        yield clients


def conclude(task: BaseOperator, reports: Sequence[Report], context: Context, *, dry_run: bool) -> dict[str, Any]:
    """Say what became of the records in the log, in XCom and in the events of assets; fail when it isn't good.

    Args:
        task: the operator that ran.
        reports: of its exchanges.
        context: of the task.
        dry_run: whether nothing was changed.

    Returns:
        What became of the records, in numbers and keys.

    Raises:
        ExchangeIncomplete: some records are not in effect.
        IntegrationError: what stopped an exchange.
    """
    for report in reports:
        task.log.info("%s", report.table())
    summary = summarise(reports)
    for asset in task.outlets:
        context["outlet_events"][asset].extra.update({**summary["counts"], "dry_run": dry_run})
    if any(report.error is not None or report.not_in_effect() for report in reports):
        context["ti"].xcom_push(key="return_value", value=summary)
    for report in in_order(reports):
        report.raise_for_waiting()
    return summary


def owner_of(context: Context) -> str:
    """Name the attempt for leases and the audit trail: DAG, run, task, map index and try."""
    ti = context["ti"]
    mapped = f"[{ti.map_index}]" if ti.map_index is not None and ti.map_index >= 0 else ""
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}{mapped} try {ti.try_number}"


def summarise(reports: Sequence[Report]) -> dict[str, Any]:
    """Return the part of reports that the next step and the UI see: numbers and keys, never a payload."""
    counts: dict[str, int] = {}
    notes: list[str] = []
    waiting: list[str] = []
    for report in reports:
        for name, number in report.counts().items():
            counts[name] = counts.get(name, 0) + number
        notes += report.notes
        waiting += [outcome.key for outcome in report.not_in_effect()]
    return {
        "operations": {f"{report.system}.{report.operation}": _done(report) for report in reports},
        "counts": counts,
        "notes": notes[:KEYS_SHOWN],
        "not_in_effect": waiting[:KEYS_SHOWN],
        "seconds": round(sum(report.seconds for report in reports), 3),
    }


def listed(made: Report | list[Report]) -> list[Report]:
    """Return the reports of a step, however many it has."""
    return made if isinstance(made, list) else [made]


def continued(reports: list[Report], later: list[Report], again: Collection[str] = ()) -> list[Report]:
    """Return the reports of a step that was run once more: those of an operation as one.

    Args:
        reports: of the earlier passes; empty for the first one.
        later: of the last one.
        again: what names the service requests in business keys that it carried.
    """
    known = {(report.system, report.operation): report for report in reports}
    new: list[Report] = []
    for more in later:
        report = known.get((more.system, more.operation))
        if report is None:
            new.append(more)
        else:
            report.continue_with(more, again)
    return [*reports, *new]


def may_be_mended(report: Report) -> bool:
    """Say whether another try may bring more of an exchange's records into effect."""
    return report.counts()["deferred"] > 0 if report.error is None else can_mend(report.error)


def in_order(reports: Iterable[Report]) -> list[Report]:
    """Put first what another try can mend: the first error that is raised decides whether there is one."""

    def place(report: Report) -> int:
        if report.error is not None:
            return 0 if can_mend(report.error) else 1
        return 2 if report.counts()["deferred"] else 3

    return sorted(reports, key=place)


def _done(report: Report) -> dict[str, int]:
    return {name: number for name, number in report.counts().items() if number}


def truth(value: object) -> bool:
    """Return the value of a flag that may have gone through a template."""
    return str(value).strip().lower() in {"true", "1", "yes", "on"}


def page_of(hooks: dict[str, SystemHook[Any]], reports: Sequence[Report]) -> str:
    """Return where a person sees the first record that is in effect, or nothing."""
    for report in reports:
        for outcome in report.outcomes:
            if outcome.result.in_effect and outcome.external_id and hooks[report.system].page_field:
                return hooks[report.system].record_page(outcome.external_id, outcome.key)
    return ""
