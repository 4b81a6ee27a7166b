"""Audit trails go to the QMS.

Every `sync_interval` of the QMS, what two audit trails have gained is sent to the QMS's own: in order, without gaps,
each event once.

| task | sends |
| --- | --- |
| `ledger_events` | what this project has done: who sent which record where, from which run, and what became of it |
| `framework_events` | what people and programs have done in the framework, where it offers its events |

Neither waits for the other. A watermark in the ledger says how far all is in effect. Where the QMS takes no audit
events, the tasks are skipped and the trail stays in the ledger.

**A red task** has stopped at an event that is not in effect, so that nothing is left out; its log names the event and
why. Nothing behind its batch is sent before: correct what the QMS refuses, and run the DAG with `replay`. Parameters: a
dry run that changes nothing, a replay of what waits for a person; a service request makes no difference here.
"""

from __future__ import annotations

from airflow.sdk import DAG

from operators.audit_trail import SyncAuditTrailOperator
from operators.wiring import (
    DEFAULT_ARGS,
    FRAMEWORK_EVENTS,
    LEDGER_EVENTS,
    PARAMS,
    QMS_EVENTS,
    RUN_TIMEOUT,
    START,
    schedule,
)

with DAG(
    dag_id="pv_audit_sync",
    description="Audit events of the ledger and of the framework go to the QMS",
    doc_md=__doc__,
    schedule=schedule("qms"),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=RUN_TIMEOUT,
    default_args=DEFAULT_ARGS,
    params=PARAMS,
    tags=["pv", "qms"],
):
    for source, events in (("ledger", LEDGER_EVENTS), ("framework", FRAMEWORK_EVENTS)):
        SyncAuditTrailOperator(
            task_id=f"{source}_events",
            source=source,
            dry_run="{{ params.dry_run }}",
            replay="{{ params.replay }}",
            inlets=[events],
            outlets=[QMS_EVENTS],
        )
