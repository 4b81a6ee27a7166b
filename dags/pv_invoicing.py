"""Approved service requests are invoiced in the ERP, and its stock follows the laboratory.

When statuses have changed, and every `sync_interval` of the ERP, in one sweep:

| task | does |
| --- | --- |
| `create_invoices` | drafts the invoice of each approved service request and posts it once the ERP computes the same |
| `credit_withdrawn_tests` | gives back what was billed for tests that are withdrawn afterwards; shows later orders |
| `move_stock` | books each module as received, stored, then returned or scrapped |
| `draw_consumables` | draws from the stock what completed executions have used up |

None waits for another, so that a red one doesn't stop the others. A posted invoice is never changed.

**A red task** has records that are not in effect; its log ends with a table that names each of them and why. An
invoice of which more or fewer modules were tested than ordered, or that the ERP computes otherwise, stays a draft:
correct it or post it in the ERP, and the next run finds it posted. What lacks a price or a customer goes on by itself
once it is there. `create_invoices` also says which invoices are paid. Parameters: one service request by number or id,
a dry run that changes nothing, a replay of what waits for a person.
"""

from __future__ import annotations

from airflow.sdk import DAG

from operators.invoicing import CreateCreditNotesOperator, CreateInvoicesOperator
from operators.stock import DrawConsumablesOperator, MoveStockOperator
from operators.wiring import (
    CUSTOMERS,
    DEFAULT_ARGS,
    EXECUTIONS,
    FLAGS,
    INVOICES,
    PARAMS,
    PRICES,
    PROTOCOLS,
    RUN_TIMEOUT,
    SERVICE_REQUESTS,
    START,
    STATUSES,
    STOCK,
    schedule_on,
)

with DAG(
    dag_id="pv_invoicing",
    description="Approved service requests are invoiced in the ERP, and its stock follows the laboratory",
    doc_md=__doc__,
    schedule=schedule_on(STATUSES, system="erp"),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=RUN_TIMEOUT,
    default_args=DEFAULT_ARGS,
    params=PARAMS,
    tags=["pv", "erp"],
):
    billed = [SERVICE_REQUESTS, PROTOCOLS, PRICES, CUSTOMERS, INVOICES]
    CreateInvoicesOperator(task_id="create_invoices", inlets=billed, outlets=[INVOICES], **FLAGS)
    CreateCreditNotesOperator(task_id="credit_withdrawn_tests", inlets=billed, outlets=[INVOICES], **FLAGS)
    MoveStockOperator(task_id="move_stock", inlets=[SERVICE_REQUESTS, EXECUTIONS, CUSTOMERS], outlets=[STOCK], **FLAGS)
    DrawConsumablesOperator(task_id="draw_consumables", inlets=[EXECUTIONS, SERVICE_REQUESTS], outlets=[STOCK], **FLAGS)
