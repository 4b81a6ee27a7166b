"""Others are told of events, and what events of others start is started.

Every `sync_interval` of the framework:

| task | does |
| --- | --- |
| `announce` | writes events of new service requests and reports, where an endpoint wants them |
| `deliver` | registers the endpoints of Airflow connections, and delivers what waits in the outbox |
| `start_runs` | starts the DAGs of received events that the receiver itself has not started |

All other events are written when a record is settled, and wait for the next run. An endpoint gets each event at least
once, under an id that stays the same; what fails is tried again for three days: a few seconds later in the same run,
afterwards by the first run after it is due. `python -m pv_testing webhooks deliver --stay` delivers within two seconds.
Events that come in start their DAGs within seconds; `start_runs` is the safety net for those that could not be started
then.

**A red task** `deliver` has an endpoint that gets nothing, because it was disabled or its secret isn't there; its log
names it. Mend it, then run `python -m pv_testing webhooks resume ENDPOINT`: nothing is lost meanwhile. Parameters: `sr`
looks for reports of one service request by its id; a dry run does nothing here, and a replay makes no difference.
"""

from __future__ import annotations

from airflow.sdk import DAG

from operators.webhooks import AnnounceEventsOperator, DeliverEventsOperator, StartRunsOperator
from operators.wiring import (
    DEFAULT_ARGS,
    DELIVERIES,
    EVENTS,
    PARAMS,
    RECEIVED_EVENTS,
    RUN_TIMEOUT,
    SERVICE_REQUESTS,
    START,
    schedule,
)

with DAG(
    dag_id="pv_webhooks",
    description="Others are told of events, and what events of others start is started",
    doc_md=__doc__,
    schedule=schedule("framework"),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=RUN_TIMEOUT,
    default_args=DEFAULT_ARGS,
    params=PARAMS,
    tags=["pv", "webhooks"],
):
    announce = AnnounceEventsOperator(
        task_id="announce",
        service_request="{{ params.sr }}",
        dry_run="{{ params.dry_run }}",
        inlets=[SERVICE_REQUESTS],
        outlets=[EVENTS],
    )
    deliver = DeliverEventsOperator(
        task_id="deliver",
        dry_run="{{ params.dry_run }}",
        trigger_rule="all_done",
        inlets=[EVENTS],
        outlets=[DELIVERIES],
    )
    announce >> deliver
    StartRunsOperator(task_id="start_runs", dry_run="{{ params.dry_run }}", inlets=[RECEIVED_EVENTS])
