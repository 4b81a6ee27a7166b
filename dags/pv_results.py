"""Results of completed executions go to the LIMS.

Every `sync_interval` the service requests under test are read, and one result set is uploaded for each of their
completed executions. Corrected results become an amendment with the next revision number, never a silent overwrite.

| task | does |
| --- | --- |
| `choose` | finds the service requests: one mapped task each while they are few, balanced chunks of them beyond eight |
| `upload_results` | uploads the result sets and says in its log what became of every execution |

Up to four runs go side by side, so that none waits for a huge service request; each request is carried by one of them,
and the log of `choose` names those that are left to another run.

**A red task** has records that are not in effect; its log ends with a table that names each of them and why. Correct
them at their source and clear the task: only what is missing is sent. An execution whose sample is not in the LIMS yet
waits for `pv_intake`. A request that is closed meanwhile comes back until nothing of it waits and every test has ended.
Parameters: one service request by number or id, a dry run that changes nothing, a replay of what waits for a person.
"""

from __future__ import annotations

from airflow.sdk import DAG

from operators.results import UploadResultsOperator
from operators.service_requests import ChooseServiceRequestsOperator
from operators.wiring import (
    DEFAULT_ARGS,
    EXECUTIONS,
    PARAMS,
    PROTOCOLS,
    RESULTS,
    RUN_TIMEOUT,
    RUNS_AT_ONCE,
    SAMPLES,
    SERVICE_REQUESTS,
    START,
    schedule,
)
from pv_testing.workflow.selection import UNDER_TEST

with DAG(
    dag_id="pv_results",
    description="Results of completed executions go to the LIMS",
    doc_md=__doc__,
    schedule=schedule(),
    start_date=START,
    catchup=False,
    max_active_runs=RUNS_AT_ONCE,
    dagrun_timeout=RUN_TIMEOUT,
    default_args=DEFAULT_ARGS,
    params=PARAMS,
    tags=["pv", "lims"],
):
    choose = ChooseServiceRequestsOperator(
        task_id="choose",
        states=UNDER_TEST,
        executions="COMPLETE",
        sweep="lims/results",
        checkpoint="lims/result",
        service_request="{{ params.sr }}",
        dry_run="{{ params.dry_run }}",
        inlets=[SERVICE_REQUESTS, EXECUTIONS],
    )
    UploadResultsOperator.partial(
        task_id="upload_results",
        dry_run="{{ params.dry_run }}",
        replay="{{ params.replay }}",
        map_index_template="{{ task.title }}",
        inlets=[EXECUTIONS, SERVICE_REQUESTS, PROTOCOLS, SAMPLES],
        outlets=[RESULTS],
    ).expand_kwargs(choose.output)
