"""Service requests become samples in the LIMS.

Every `sync_interval` the open service requests of the framework are read, and one sample is created in the LIMS for
each module that has a serial number. What is there already is left alone; what has changed is updated.

| task | does |
| --- | --- |
| `choose` | finds the service requests: one mapped task each while they are few, balanced chunks of them beyond eight |
| `create_samples` | creates the samples and says in its log what became of every module |

Up to four runs go side by side, so that none waits for a huge service request; each request is carried by one of them,
and the log of `choose` names those that are left to another run.

**A red task** has records that are not in effect; its log ends with a table that names each of them and why. Correct
them at their source and clear the task: only what is missing is sent. A request that is closed meanwhile comes back
until every sample of it is there; one in a state that nobody knows waits for a person. Parameters: one service request
by number or id, a dry run that changes nothing, a replay of what waits for a person.
"""

from __future__ import annotations

from airflow.sdk import DAG

from operators.samples import CreateSamplesOperator
from operators.service_requests import ChooseServiceRequestsOperator
from operators.wiring import DEFAULT_ARGS, PARAMS, RUN_TIMEOUT, RUNS_AT_ONCE, SAMPLES, SERVICE_REQUESTS, START, schedule

with DAG(
    dag_id="pv_intake",
    description="Service requests of the framework become samples in the LIMS",
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
        sweep="lims/samples",
        unknown_states=True,
        service_request="{{ params.sr }}",
        dry_run="{{ params.dry_run }}",
        inlets=[SERVICE_REQUESTS],
    )
    CreateSamplesOperator.partial(
        task_id="create_samples",
        dry_run="{{ params.dry_run }}",
        replay="{{ params.replay }}",
        map_index_template="{{ task.title }}",
        inlets=[SERVICE_REQUESTS],
        outlets=[SAMPLES],
    ).expand_kwargs(choose.output)
