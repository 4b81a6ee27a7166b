"""The step that all workflows share: open the systems, run an exchange, say what became of every record."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from operators.links import SampleLink
from operators.retry_policy import ErrorTreeRetryPolicy

Workflow = Callable[..., Coroutine[Any, Any, "Report"]]

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hooks.lims import LIMSHook
    from pv_testing.exchange.report import Report
    from pv_testing.integrations import FrameworkClient

KEYS_SHOWN = 50


class ExchangeOperator(BaseOperator):
    """Runs one step of the round trip over service requests, each record exactly once.

    The task fails at its end when a record is not in effect, and only then; another try sends only what is missing.

    Args:
        service_requests: the framework's ids; without them the step chooses those that it is about.
        title: names them in the UI.
        service_request: the number or id of the only one, where the step chooses itself.
        rehearse: say what would happen, and change nothing anywhere.
        replay: try records again that wait for a person.
        framework_conn_id: the connection of the framework.
        lims_conn_id: the connection of the LIMS.
        ledger_conn_id: the connection of the ledger.
    """

    template_fields: Sequence[str] = (
        "service_requests",
        "title",
        "service_request",
        "rehearse",
        "replay",
        "framework_conn_id",
        "lims_conn_id",
        "ledger_conn_id",
    )
    operator_extra_links = (SampleLink(),)
    ui_color = "#e4f1e1"

    def __init__(
        self,
        *,
        service_requests: Sequence[int] | str | None = None,
        title: str = "",
        service_request: str = "",
        rehearse: bool | str = False,
        replay: bool | str = False,
        framework_conn_id: str = "pv_framework",
        lims_conn_id: str = "pv_lims",
        ledger_conn_id: str = "pv_ledger",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retry_policy", ErrorTreeRetryPolicy())
        super().__init__(**kwargs)
        self.service_requests = service_requests
        self.title = title
        self.service_request = service_request
        self.rehearse = rehearse
        self.replay = replay
        self.framework_conn_id = framework_conn_id
        self.lims_conn_id = lims_conn_id
        self.ledger_conn_id = ledger_conn_id
        self.sample_page = ""

    def workflow(self) -> Workflow:
        """Return the step itself, a function of ``pv_testing.workflows``; imported when it is needed and not before."""
        raise NotImplementedError

    def chosen(self, framework: FrameworkClient) -> list[int]:
        """Return the ids of the service requests that the step is about when none are given.

        Args:
            framework: where they are.
        """
        from operators.service_requests import OPEN, choose

        return list(choose(framework, OPEN, str(self.service_request or "").strip()).values())

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the exchange and return what became of the records, in numbers.

        Raises:
            ExchangeIncomplete: some records are not in effect; the log names each of them with its reason.
            IntegrationError: what stopped the exchange.
        """
        report = self._exchange(owner_of(context))
        self.log.info("%s", report.table())
        summary = summarise(report)
        for asset in self.outlets:
            context["outlet_events"][asset].extra.update(summary["counts"])
        if report.error is not None or report.not_in_effect():
            context["ti"].xcom_push(key="return_value", value=summary)
        report.raise_for_waiting()
        return summary

    def _exchange(self, owner: str) -> Report:
        from hooks.framework import FrameworkHook
        from hooks.ledger import LedgerHook
        from hooks.lims import LIMSHook
        from pv_testing.transports.sync import run

        lims_hook = LIMSHook(self.lims_conn_id)
        with (
            LedgerHook(self.ledger_conn_id).get_conn() as ledger,
            FrameworkHook(self.framework_conn_id).get_client(ledger, owner) as framework,
            lims_hook.get_client(ledger, owner) as lims,
        ):
            ids = self.chosen(framework) if self.service_requests is None else [int(i) for i in self.service_requests]
            step = self.workflow()(framework, lims, ids, replay=truth(self.replay), dry_run=truth(self.rehearse))
            report: Report = run(step)
            self.sample_page = page_of(lims_hook, report)
        return report


def owner_of(context: Context) -> str:
    """Name the attempt for leases and the audit trail: DAG, run, task, map index and try."""
    ti = context["ti"]
    mapped = f"[{ti.map_index}]" if ti.map_index is not None and ti.map_index >= 0 else ""
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}{mapped} try {ti.try_number}"


def summarise(report: Report) -> dict[str, Any]:
    """Return what the next step and the UI see of a report: numbers and keys, never a payload."""
    return {
        "operation": report.operation,
        "system": report.system,
        "provider": report.provider,
        "counts": report.counts(),
        "notes": report.notes[:KEYS_SHOWN],
        "not_in_effect": [outcome.key for outcome in report.not_in_effect()[:KEYS_SHOWN]],
        "seconds": round(report.seconds, 3),
    }


def truth(value: object) -> bool:
    """Return what a flag says that may have gone through a template."""
    return str(value).strip().lower() in {"true", "1", "yes", "on"}


def page_of(hook: LIMSHook, report: Report) -> str:
    """Return where a person sees the report's first sample in the LIMS, or nothing."""
    for outcome in report.outcomes:
        if outcome.result.in_effect and outcome.external_id:
            return hook.sample_page(outcome.external_id, outcome.key.rpartition("/")[0])
    return ""
