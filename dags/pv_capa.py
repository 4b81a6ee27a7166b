"""Failures that recur become CAPAs in the QMS, once a person has approved.

Once a day the failures of the last weeks are counted, by protocol and also by model and equipment. More failed modules
than the threshold, and a rate that is really higher than the laboratory's usual one, make a finding; a busy month alone
makes a note. `config/capa.yaml` has the rules.

| task | does |
| --- | --- |
| `find_findings` | counts, compares with what is usual, and keeps each finding in the ledger; its log has the numbers |
| `approve` | asks a person about each finding, who sees numbers, charts and what would be created; *Required Actions* |
| `raise_capas` | creates the approved CAPAs, attaches the list of executions and the charts |

What was approved is what is created. A rejected finding is asked about again when another module fails. While a CAPA is
open, its scope raises no other one; after it is closed, only newer failures count. Where the configuration asks nobody,
`approve` is skipped.

**A red task** has records that are not in effect, or a question that nobody has answered; its log ends with a table
that names each of them and why. An unanswered question is asked again by the next run, with that day's numbers.
Parameters: a service request, for only those findings in which one of its modules failed; a dry run that changes
nothing and asks nobody; a replay of what waits for a person.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from operators.capas import ApproveCapaOperator, FindFindingsOperator, RaiseCapasOperator
from operators.wiring import (
    CAPAS,
    DEFAULT_ARGS,
    EXECUTIONS,
    FINDINGS,
    NON_CONFORMANCES,
    PARAMS,
    PROTOCOLS,
    SERVICE_REQUESTS,
    START,
    schedule,
)

DAILY = timedelta(days=1)
LONGEST_WAIT = timedelta(days=15)

with DAG(
    dag_id="pv_capa",
    description="Failures that recur become CAPAs in the QMS, once a person has approved",
    doc_md=__doc__,
    schedule=DAILY if schedule("qms") else None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=LONGEST_WAIT,
    default_args=DEFAULT_ARGS,
    params=PARAMS,
    tags=["pv", "qms"],
):
    find = FindFindingsOperator(
        task_id="find_findings",
        service_request="{{ params.sr }}",
        dry_run="{{ params.dry_run }}",
        inlets=[EXECUTIONS, SERVICE_REQUESTS, PROTOCOLS, NON_CONFORMANCES],
        outlets=[FINDINGS],
    )
    approve = ApproveCapaOperator.partial(
        task_id="approve", map_index_template="{{ task.title }}", inlets=[FINDINGS]
    ).expand_kwargs(find.output)
    raise_capas = RaiseCapasOperator(
        task_id="raise_capas",
        dry_run="{{ params.dry_run }}",
        replay="{{ params.replay }}",
        trigger_rule="none_failed_min_one_success",
        inlets=[FINDINGS, CAPAS],
        outlets=[CAPAS],
    )
    [find, approve] >> raise_capas
