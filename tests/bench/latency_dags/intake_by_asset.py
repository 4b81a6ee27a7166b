"""The intake as an asset's event would start it; the event says which service request has changed."""

from __future__ import annotations

from airflow.sdk import DAG, Asset

from operators.samples import CreateSamplesOperator
from operators.service_requests import ChooseServiceRequestsOperator
from operators.wiring import DEFAULT_ARGS, START

TOLD = Asset(name="told_service_requests", uri="pv-bench://told/service_requests")

with DAG(
    dag_id="intake_by_asset", schedule=[TOLD], start_date=START, catchup=False, max_active_runs=1,
    default_args=DEFAULT_ARGS,
):  # fmt: skip
    choose = ChooseServiceRequestsOperator(
        task_id="choose",
        sweep="lims/samples",
        service_request="{{ (triggering_asset_events.values() | first | last).extra.sr }}",
    )
    CreateSamplesOperator.partial(task_id="create_samples").expand_kwargs(choose.output)
