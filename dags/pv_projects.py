"""Service requests become projects in project management.

When `pv_results` has uploaded results or `pv_status_sync` has moved a service request on, and every `sync_interval` of
project management as a safety net:

| task | does |
| --- | --- |
| `create_tasks` | creates a main task for each open request, and a subtask for each protocol once they are assigned |
| `choose_updates`, `choose_hours` | find requests with news; a mapped task each, beyond eight balanced chunks |
| `update_tasks` | says how far subtasks, progress and main tasks are |
| `log_hours` | enters what operators have worked and what equipment has run for each completed execution |
| `fail_run` | makes the run red when one of them is, for Airflow judges a run by its last tasks; skipped otherwise |

A subtask is complete when every expected execution is, whatever its verdict; a main task when its request is closed.
All come back to service requests that have been closed meanwhile, until nothing is left to do. Updates and hours go on
whatever became of `create_tasks`, so that trouble with one task stops no other; what lacks its task waits for it. Up to
four runs go side by side, so that none waits for a huge service request; each request is updated, and its hours are
entered, by one of them at a time, and the logs of the choosing tasks name those that are left to another run.

**A red task** has records that are not in effect; its log ends with a table that names each of them and why. Correct
them at their source and clear the task: only what is missing is sent. Without project management (`enabled: false`) the
tasks that carry are skipped. Parameters: one service request by number or id, a dry run that changes nothing, a replay
of what waits for a person.
"""

from __future__ import annotations

from airflow.sdk import DAG

from operators.projects import CreateTasksOperator, LogHoursOperator, UpdateTasksOperator
from operators.run_outcome import FailRunOperator
from operators.service_requests import ChooseServiceRequestsOperator
from operators.wiring import (
    DEFAULT_ARGS,
    EXECUTIONS,
    FLAGS,
    HOURS,
    PARAMS,
    PROTOCOLS,
    RESULTS,
    RUN_TIMEOUT,
    RUNS_AT_ONCE,
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
    max_active_runs=RUNS_AT_ONCE,
    dagrun_timeout=RUN_TIMEOUT,
    default_args=DEFAULT_ARGS,
    params=PARAMS,
    tags=["pv", "pm"],
):
    work = [EXECUTIONS, SERVICE_REQUESTS, PROTOCOLS, TASKS]
    create = CreateTasksOperator(
        task_id="create_tasks", inlets=[SERVICE_REQUESTS, PROTOCOLS, USERS, TASKS], outlets=[TASKS], **FLAGS
    )
    choose_updates, choose_hours = (
        ChooseServiceRequestsOperator(
            task_id=task_id,
            executions="",
            sweep=sweep,
            adopts=False,
            service_request="{{ params.sr }}",
            dry_run="{{ params.dry_run }}",
            inlets=[SERVICE_REQUESTS, EXECUTIONS],
            trigger_rule="all_done",
        )
        for task_id, sweep in (("choose_updates", "pm/tasks"), ("choose_hours", "pm/hours"))
    )
    update = UpdateTasksOperator.partial(
        task_id="update_tasks",
        dry_run="{{ params.dry_run }}",
        replay="{{ params.replay }}",
        map_index_template="{{ task.title }}",
        inlets=work,
        outlets=[TASKS],
    ).expand_kwargs(choose_updates.output)
    hours = LogHoursOperator.partial(
        task_id="log_hours",
        dry_run="{{ params.dry_run }}",
        replay="{{ params.replay }}",
        map_index_template="{{ task.title }}",
        inlets=[*work, USERS],
        outlets=[HOURS],
    ).expand_kwargs(choose_hours.output)
    create >> [choose_updates, choose_hours]
    [create, choose_updates, update, choose_hours, hours] >> FailRunOperator(task_id="fail_run")
