"""The test results of service requests become workbooks in a folder."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from operators.files import ExportResultsOperator
from operators.wiring import DEFAULT_ARGS, EXECUTIONS, EXPORTS, PROTOCOLS, SERVICE_REQUESTS

with DAG(
    dag_id="demo_export",
    description="The test results of service requests become workbooks",
    doc_md=__doc__,
    schedule=None,
    default_args=DEFAULT_ARGS,
    render_template_as_native_obj=True,
    params={
        "service_requests": Param([], type="array", title="Service requests", description="Their numbers."),
        "folder": Param("/exports", type="string", title="Folder", description="Where the files are written."),
    },
    tags=["pv", "files"],
):
    ExportResultsOperator(
        task_id="export",
        service_requests="{{ params.service_requests }}",
        folder="{{ params.folder }}",
        formats=["excel", "xml"],
        inlets=[SERVICE_REQUESTS, EXECUTIONS, PROTOCOLS],
        outlets=[EXPORTS],
    )
