"""Failures that recur become CAPAs in the QMS: they are found, a person decides, and what was approved is raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException

from operators.exchange import KEYS_SHOWN, ExchangeOperator, open_clients, owner_of, truth
from operators.lineage import LineageMixin, datasets_of, keep_flows
from pv_testing.core.visible import visible

if TYPE_CHECKING:
    from airflow.sdk import Context

    from pv_testing.exchange.report import Report
    from pv_testing.integrations import FrameworkClient
    from pv_testing.quality.capas import Findings
    from pv_testing.quality.decisions import ApprovalAnswer

CHARTS = "/pv/charts"


class FindFindingsOperator(ExchangeOperator):
    """Looks for failures that recur, and keeps each finding in the ledger under the digest of its content.

    The arguments are those of :class:`~operators.exchange.ExchangeOperator`; with ``service_request``, only findings
    with a failure of that one are kept.
    """

    systems: ClassVar[Sequence[str]] = ("qms",)
    operator_extra_links = ()

    def execute(self, context: Context) -> list[dict[str, str]]:  # type: ignore[override]
        """Return the findings that a person is to decide on, by digest and title, as arguments of mapped tasks.

        Raises:
            DataError: there is no such service request.
            IntegrationError: a system or the ledger can't be read, or ``capa.yaml`` can't be used.
            AirflowSkipException: the QMS is disabled.
        """
        from pv_testing.config import load_config
        from pv_testing.core.sync import run
        from pv_testing.lineage.findings import findings_flow
        from pv_testing.quality.capas import find_findings
        from pv_testing.workflow.selection import choose

        hooks = {system: self.hook(system) for system in ("framework", *self.systems)}
        with open_clients(hooks, self.ledger_conn_id, owner_of(context)) as (framework, qms):
            wanted = str(self.service_request or "").strip()
            at = moment_of(context).astimezone(load_config().lab.zone)
            only = next(iter(choose(framework, (), wanted))) if wanted else ""
            findings = run(find_findings(framework, qms, at=at, service_request=only, dry_run=truth(self.is_dry_run)))
        kept = len(findings.analysis.findings)
        keep_flows(self, lambda: [findings_flow(kept, datasets_of(self), dry_run=truth(self.is_dry_run))])
        self.log.info("%s", visible(findings.table(), lines=True))
        context["ti"].xcom_push(key="notes", value=findings.analysis.notes[:KEYS_SHOWN])
        return arguments(findings)


def arguments(findings: Findings) -> list[dict[str, str]]:
    """Return the arguments of the mapped tasks that ask: the finding's digest, and its title in the UI."""
    return [{"finding": each.digest, "title": f"{each.key}: {each.modules} modules"} for each in findings.questions]


def moment_of(context: Context) -> datetime:
    """Return the moment of the run: from when on it was due, the same at every try."""
    run = context["dag_run"]
    return run.run_after or run.logical_date or datetime.now(timezone.utc)


class ApproveCapaOperator(LineageMixin, ApprovalOperator):
    """Asks a person whether the CAPA of a finding is to be raised, and keeps the answer in the ledger.

    The person sees the finding in numbers, its charts and what would be created. The answer belongs to the digest of
    the finding. A rejection skips nothing, so that other findings go on; the step that raises reads the answers. A
    question that isn't answered in time is skipped, and ``raise_capas`` says so.

    Args:
        finding: digest of the finding in the ledger.
        title: names it in the UI.
        ledger_conn_id: the connection of the ledger.
        kwargs: of Airflow's ``ApprovalOperator``; ``config/capa.yaml`` says who may answer and for how long.
    """

    template_fields: Sequence[str] = ("finding", "title", "ledger_conn_id")
    ui_color = "#f7efd9"

    def __init__(self, *, finding: str, title: str = "", ledger_conn_id: str = "pv_ledger", **kwargs: Any) -> None:
        super().__init__(subject="", **kwargs)
        self.finding = finding
        self.title = title
        self.ledger_conn_id = ledger_conn_id

    def execute(self, context: Context) -> Any:
        """Ask, and wait without a worker.

        Raises:
            DataError: the ledger doesn't have the finding as it was found.
            ConfigError: ``capa.yaml`` can't be used.
        """
        from hooks.ledger import LedgerHook
        from pv_testing.quality import question
        from pv_testing.quality.capa_policy import CapaPolicy
        from pv_testing.quality.decisions import Decisions

        approval = CapaPolicy.read().approval
        with LedgerHook(self.ledger_conn_id).get_conn() as ledger:
            finding = Decisions(ledger).finding(self.finding)
        self.subject = question.subject(finding)
        self.body = question.body(finding, f"{base_path()}{CHARTS}/{self.finding}")
        self.response_timeout = timedelta(hours=approval.hours)
        self.assigned_users = [{"id": user, "name": user} for user in approval.asked(starter_of(context))] or None
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Keep the answer in the ledger and its audit trail, and return it.

        Raises:
            AirflowSkipException: the question wasn't answered in time.
            DataError: the approval isn't this person's to give.
        """
        from hooks.ledger import LedgerHook
        from pv_testing.quality.capa_policy import CapaPolicy
        from pv_testing.quality.decisions import Decisions

        # Airflow's own approval would skip what follows for all findings when one is rejected.
        response = super(ApprovalOperator, self).execute_complete(context, event)
        answer = answer_of(response)
        if answer.approved and knows_users():
            CapaPolicy.read().approval.refuse(names_of(response), starter_of(context))
        elif answer.approved:
            self.log.warning("Airflow knows no users, so that four eyes can't be kept")
        with LedgerHook(self.ledger_conn_id).get_conn() as ledger:
            Decisions(ledger).answer(self.finding, answer, owner=owner_of(context))
        return {"finding": self.finding, "approved": answer.approved, "by": answer.by}

    def process_trigger_event_error(self, event: dict[str, Any]) -> None:
        """Leave a question that wasn't answered in time.

        Raises:
            AirflowSkipException: it wasn't.
        """
        if event["error_type"] == "timeout":
            raise AirflowSkipException("the question was not answered in time; the next run asks again")
        super().process_trigger_event_error(event)


def answer_of(response: Mapping[str, Any]) -> ApprovalAnswer:
    """Return a person's response as the ledger keeps it."""
    from pv_testing.quality.decisions import ApprovalAnswer

    return ApprovalAnswer(
        approved=ApprovalOperator.APPROVE in response["chosen_options"],
        by=next(iter(names_of(response)), ""),
        at=response["responded_at"].isoformat(timespec="seconds"),
    )


def names_of(response: Mapping[str, Any]) -> list[str]:
    """Return the names under which Airflow knows who has answered."""
    user = response.get("responded_by_user") or {}
    return [str(user[name]) for name in ("name", "id") if user.get(name)]


def starter_of(context: Context) -> str:
    """Return who has started the run by hand; empty where its schedule or new data did."""
    return str(getattr(context["dag_run"], "triggering_user_name", None) or "")


def knows_users() -> bool:
    """Return whether Airflow tells one user from another, which its mode for trying it out doesn't."""
    from airflow.sdk.configuration import conf

    return not conf.getboolean("core", "simple_auth_manager_all_admins", fallback=False)


def base_path() -> str:
    """Return below which path the UI is served, such as ``/airflow``; empty where it is at the root."""
    from airflow.sdk.configuration import conf

    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


class RaiseCapasOperator(ExchangeOperator):
    """Raises the CAPAs of all approved findings in the ledger, with their evidence; each exactly as it was approved.

    It fails when a finding waits for an answer or a CAPA is not in effect. It isn't about service requests; of the
    arguments of :class:`~operators.exchange.ExchangeOperator`, ``service_requests``, ``service_request`` and ``title``
    do nothing.
    """

    systems: ClassVar[Sequence[str]] = ("qms",)
    operator_extra_links = ()

    def run_step(self, framework: FrameworkClient, *clients: Any, replay: bool, dry_run: bool) -> Report | list[Report]:  # noqa: ARG002
        """Raise the CAPAs; the ledger says which findings are approved."""
        from pv_testing.core.sync import run
        from pv_testing.quality.capas import raise_capas

        (qms,) = clients
        return run(raise_capas(qms, replay=replay, dry_run=dry_run))
