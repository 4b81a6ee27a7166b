"""Statuses in both directions.

Every `sync_interval`, in one sweep over all open service requests:

| task | does |
| --- | --- |
| `pull_statuses` | moves service requests in the framework on when the LIMS has received all of their samples |
| `push_statuses` | gives the samples in the LIMS the status of their service request, closed ones until they have it |

Each way only ever moves forward and is written only where the two sides differ, so that they never chase each other;
the two tasks don't wait for each other, so that trouble one way doesn't stop the other.

**A red task** has records that are not in effect; its log ends with a table that names each of them and why.
Parameters: one service request by number or id, a dry run that changes nothing, a replay of what waits for a person.
"""

from __future__ import annotations

from airflow.sdk import DAG

from operators.statuses import PullStatusOperator, PushStatusOperator
from operators.wiring import (
    DEFAULT_ARGS,
    FLAGS,
    PARAMS,
    RUN_TIMEOUT,
    SAMPLES,
    SERVICE_REQUESTS,
    START,
    STATUSES,
    schedule,
)

with DAG(
    dag_id="pv_status_sync",
    description="Statuses of samples and service requests, in both directions",
    doc_md=__doc__,
    schedule=schedule(),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=RUN_TIMEOUT,
    default_args=DEFAULT_ARGS,
    params=PARAMS,
    tags=["pv", "lims"],
):
    PullStatusOperator(task_id="pull_statuses", inlets=[SAMPLES, SERVICE_REQUESTS], outlets=[STATUSES], **FLAGS)
    PushStatusOperator(task_id="push_statuses", inlets=[SERVICE_REQUESTS, SAMPLES], outlets=[SAMPLES], **FLAGS)
