"""Events out and in: endpoints are registered and told, and what events start is started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from operators.exchange import owner_of, truth
from operators.lineage import LineageMixin, keep_flows
from operators.news import wanted_changes
from operators.retry_policy import ErrorTreeRetryPolicy
from pv_testing.core.errors import ExchangeIncomplete, NetworkError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from pv_testing.ledger import Ledger
    from pv_testing.webhooks import WebhookManager


class WebhookOperator(LineageMixin, BaseOperator):
    """What the steps of webhooks share.

    Args:
        dry_run: change nothing, and skip the step.
        ledger_conn_id: the connection of the ledger.
    """

    template_fields: Sequence[str] = ("is_dry_run", "ledger_conn_id")
    ui_color = "#efe8f7"

    def __init__(self, *, dry_run: bool | str = False, ledger_conn_id: str = "pv_ledger", **kwargs: Any) -> None:
        kwargs.setdefault("retry_policy", ErrorTreeRetryPolicy())
        super().__init__(**kwargs)
        self.is_dry_run = dry_run
        self.ledger_conn_id = ledger_conn_id

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """Open the ledger, unless this is a dry run."""
        from hooks.ledger import LedgerHook

        if truth(self.is_dry_run):
            raise AirflowSkipException("a dry run delivers no event and starts no run")
        with LedgerHook(self.ledger_conn_id).get_conn() as opened:
            yield opened


class DeliverEventsOperator(WebhookOperator):
    """Registers the endpoints of Airflow connections, and delivers what is due to all endpoints.

    The task fails where a person must look at an endpoint: it was disabled, or its secret isn't there.

    Args:
        seconds: after which no further deliveries are taken; the next run goes on.
        patience: for how many seconds a retry is waited for; one that is due later is left to the next run.
        kwargs: of :class:`WebhookOperator`.
    """

    def __init__(self, *, seconds: float = 240.0, patience: float = 10.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seconds = seconds
        self.patience = patience

    def execute(self, context: Context) -> dict[str, int]:
        """Deliver, and return what became of deliveries, in numbers.

        Raises:
            ExchangeIncomplete: a person must look at an endpoint; the log names it.
        """
        from hooks.webhooks import WebhookHook
        from pv_testing.lineage.deliveries import deliveries_flow

        with self.ledger() as ledger:
            manager = WebhookHook.manager(ledger, owner_of(context))
            problems = self._register(manager)
            report = manager.deliver(self.seconds, self.patience)
            ledger.outbox.prune(manager.settings.keep_days)
        report.problems.update(problems)
        self.log.info("%s", report)
        keep_flows(self, lambda: [deliveries_flow(report.delivered, report.failed, report.dead)])
        if report.problems:
            raise ExchangeIncomplete(
                f"{len(report.problems)} endpoints get nothing: {', '.join(report.problems)}; the log says why",
                waiting=len(report.problems),
            )
        return {"delivered": report.delivered, "failed": report.failed, "given_up": report.dead}

    def _register(self, manager: WebhookManager) -> dict[str, str]:
        from hooks.webhooks import WebhookHook
        from pv_testing.core.errors import IntegrationError

        problems = {}
        for conn_id in manager.settings.connections:
            try:
                WebhookHook(conn_id).register(manager)
            except IntegrationError as error:
                problems[conn_id] = str(error)
        return problems


class AnnounceEventsOperator(WebhookOperator):
    """Writes events of new service requests and reports, where an endpoint wants them.

    Args:
        service_request: the id of the only one to look at.
        framework_conn_id: the connection of the framework.
        kwargs: of :class:`WebhookOperator`.
    """

    template_fields: Sequence[str] = (*WebhookOperator.template_fields, "service_request", "framework_conn_id")

    def __init__(self, *, service_request: str = "", framework_conn_id: str = "pv_framework", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.service_request = service_request
        self.framework_conn_id = framework_conn_id

    def execute(self, context: Context) -> int:
        """Write events, and return how many."""
        from hooks.framework import FrameworkHook
        from pv_testing.webhooks.announcing import announce

        with self.ledger() as ledger:
            if not ledger.endpoints.all():
                raise AirflowSkipException("no endpoint is registered")
            with FrameworkHook(self.framework_conn_id).get_client(ledger, owner_of(context)) as framework:
                wanted = str(self.service_request or "").strip()
                number = announce(framework, ledger, wanted, wanted_changes(context))
        self.log.info("%d new events of service requests and reports", number)
        return number


class StartRunsOperator(WebhookOperator):
    """Starts what events in the inbox are to start and the receiver has not started.

    Args:
        older: only for events that were received so many seconds ago; what is younger the receiver starts itself.
        kwargs: of :class:`WebhookOperator`.
    """

    def __init__(self, *, older: float = 60.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.older = older

    def execute(self, context: Context) -> int:
        """Start runs, and return how many."""
        from pv_testing.webhooks.settings import load_settings
        from pv_testing.webhooks.starting import start_waiting

        with self.ledger() as ledger:
            number = start_waiting(ledger, _Supervisor(context), older=self.older)
            ledger.inbox.prune(load_settings().keep_days)
        return number


class _Supervisor:
    """Starts runs from within a task, as Airflow's own TriggerDagRunOperator does."""

    def __init__(self, context: Context) -> None:
        self._ti = context["ti"]

    def has_queued(self, dag_id: str) -> bool:
        """Say whether a run of the DAG has not begun yet."""
        return bool(self._ti.get_dr_count(dag_id, states=["queued"]))

    def is_running(self, dag_id: str, run_id: str) -> bool:
        """Say whether a run is running, or will be."""
        from pv_testing.workflow.request_locks import UNFINISHED

        return bool(self._ti.get_dr_count(dag_id, run_ids=[run_id], states=list(UNFINISHED)))

    def start(self, dag_id: str, run_id: str, conf: Mapping[str, Any], after: float = 0.0) -> None:
        """Start a run; one that is there already under this id is left as it is."""
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        begin = datetime.now(timezone.utc) + timedelta(seconds=after)
        response = SUPERVISOR_COMMS.send(TriggerDagRun(dag_id=dag_id, run_id=run_id, conf=dict(conf), run_after=begin))
        if isinstance(response, ErrorResponse) and response.error != ErrorType.DAGRUN_ALREADY_EXISTS:
            raise NetworkError(f"Airflow doesn't start a run of {dag_id}: {response.error.value}")
