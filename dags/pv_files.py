"""Files that systems drop are imported.

Every `sync_interval` of the LIMS, the folders are looked into that `imports` of the contracts of LIMS and ERP name.
Each row is a record: carried by the operation that the contract says, or kept in the ledger, where steps read it.

| task | imports |
| --- | --- |
| `import_lims` | what the LIMS has dropped |
| `import_erp` | what the ERP has dropped |

Neither waits for the other. A system that is disabled, or whose contract imports nothing, is skipped. A file is claimed
by a rename, archived under its SHA-256, and never imported twice: a row that is in effect already is unchanged.

**A red task** has met a file that can't be read as the contract says, which lies in the folder `rejected` with its
reason beside it; or rows that are deferred, whose file the next run takes again. Rows that are wrong don't make a task
red: they are in `rejected`, each with row, column and reason, to be corrected and dropped again. The parameters make no
difference here.
"""

from __future__ import annotations

from airflow.sdk import DAG

from operators.files import ImportFilesOperator
from operators.wiring import DEFAULT_ARGS, DROPPED_FILES, IMPORTED_ROWS, PARAMS, RUN_TIMEOUT, START, schedule

with DAG(
    dag_id="pv_files",
    description="Files that LIMS and ERP drop are imported, row by row",
    doc_md=__doc__,
    schedule=schedule(),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=RUN_TIMEOUT,
    default_args=DEFAULT_ARGS,
    params=PARAMS,
    tags=["pv", "lims", "erp"],
):
    for system in ("lims", "erp"):
        ImportFilesOperator(task_id=f"import_{system}", system=system, inlets=[DROPPED_FILES], outlets=[IMPORTED_ROWS])
