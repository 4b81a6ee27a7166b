"""Failed executions become non-conformances in the QMS.

When `pv_results` has uploaded results, and every `sync_interval` of the QMS as a safety net, the service requests under
test are read, and one report is made for each of their executions that failed. It says what failed, under which
conditions and with which equipment; the root cause is left to people. A retest refers to the earlier report, and
nothing here closes one.

| task | does |
| --- | --- |
| `choose` | finds requests, closed ones too while a report waits; a mapped task each, beyond eight balanced chunks |
| `report_non_conformances` | makes the reports and says in its log what became of every failed execution |

The notes at the end of the log name what a person should look at: executions whose verdicts contradict each other or
are neither PASS nor FAIL, and reports whose execution, or its retest, passes now. Up to four runs go side by side; each
service request is carried by one of them, and the log of `choose` names those that are left to another run.

**A red task** has records that are not in effect; its log ends with a table that names each of them and why. Correct
them at their source and clear the task: only what is missing is sent. Without a QMS (`enabled: false`) the task is
skipped. Parameters: one service request by number or id, a dry run that changes nothing, a replay of what waits for a
person.
"""

from __future__ import annotations

from airflow.sdk import DAG

from operators.nonconformances import ReportNonConformancesOperator
from operators.service_requests import ChooseServiceRequestsOperator
from operators.wiring import (
    DEFAULT_ARGS,
    EXECUTIONS,
    NON_CONFORMANCES,
    PARAMS,
    PROTOCOLS,
    RESULTS,
    RUN_TIMEOUT,
    RUNS_AT_ONCE,
    SERVICE_REQUESTS,
    START,
    schedule_on,
)
from pv_testing.workflow.selection import UNDER_TEST

with DAG(
    dag_id="pv_quality",
    description="Failed executions become non-conformances in the QMS",
    doc_md=__doc__,
    schedule=schedule_on(RESULTS, system="qms"),
    start_date=START,
    catchup=False,
    max_active_runs=RUNS_AT_ONCE,
    dagrun_timeout=RUN_TIMEOUT,
    default_args=DEFAULT_ARGS,
    params=PARAMS,
    tags=["pv", "qms"],
):
    choose = ChooseServiceRequestsOperator(
        task_id="choose",
        states=UNDER_TEST,
        executions="COMPLETE",
        sweep="qms/nc",
        checkpoint="qms/nc",
        service_request="{{ params.sr }}",
        dry_run="{{ params.dry_run }}",
        inlets=[SERVICE_REQUESTS, EXECUTIONS],
    )
    ReportNonConformancesOperator.partial(
        task_id="report_non_conformances",
        dry_run="{{ params.dry_run }}",
        replay="{{ params.replay }}",
        map_index_template="{{ task.title }}",
        inlets=[EXECUTIONS, SERVICE_REQUESTS, PROTOCOLS, NON_CONFORMANCES],
        outlets=[NON_CONFORMANCES],
    ).expand_kwargs(choose.output)
