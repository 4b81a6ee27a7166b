"""Service requests become projects in project management.

When `pv_results` has uploaded results or `pv_status_sync` has moved a service request on, and every `sync_interval` of
project management as a safety net, in one sweep over all service requests:

| task | does |
| --- | --- |
| `create_tasks` | creates a main task for each open request, and a subtask for each protocol once they are assigned |
| `update_tasks` | says how far subtasks, progress and main tasks are |
| `log_hours` | enters what operators have worked and what equipment has run for each completed execution |
| `fail_run` | makes the run red when one of them is, for Airflow judges a run by its last tasks; skipped otherwise |

A subtask is complete when every expected execution is, whatever its verdict; a main task when its request is closed.
All three come back to service requests that have been closed meanwhile, until nothing is left to do. The last two run
whatever became of `create_tasks`, so that trouble with one task stops no other; what lacks its task waits for it.

**A red task** has records that are not in effect; its log ends with a table that names each of them and why. Correct
them at their source and clear the task: only what is missing is sent. Without project management (`enabled: false`) the
tasks are skipped. Parameters: one service request by number or id, a dry run that changes nothing, a replay of what
waits for a person.
"""

from __future__ import annotations

from airflow.sdk import DAG

from operators.projects import CreateTasksOperator, LogHoursOperator, UpdateTasksOperator
from operators.run_outcome import FailRunOperator
from operators.wiring import (
    DEFAULT_ARGS,
    EXECUTIONS,
    FLAGS,
    HOURS,
    PARAMS,
    PROTOCOLS,
    RESULTS,
    RUN_TIMEOUT,
    SERVICE_REQUESTS,
    START,
    STATUSES,
    TASKS,
    USERS,
    schedule_on,
)

with DAG(
    dag_id="pv_projects",
    description="Service requests become projects: tasks, progress, hours",
    doc_md=__doc__,
    schedule=schedule_on(RESULTS, STATUSES, system="pm"),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=RUN_TIMEOUT,
    default_args=DEFAULT_ARGS,
    params=PARAMS,
    tags=["pv", "pm"],
):
    work = [EXECUTIONS, SERVICE_REQUESTS, PROTOCOLS, TASKS]
    create = CreateTasksOperator(
        task_id="create_tasks", inlets=[SERVICE_REQUESTS, PROTOCOLS, USERS, TASKS], outlets=[TASKS], **FLAGS
    )
    update = UpdateTasksOperator(task_id="update_tasks", inlets=work, outlets=[TASKS], trigger_rule="all_done", **FLAGS)
    hours = LogHoursOperator(
        task_id="log_hours", inlets=[*work, USERS], outlets=[HOURS], trigger_rule="all_done", **FLAGS
    )
    create >> [update, hours]
    [create, update, hours] >> FailRunOperator(task_id="fail_run")
