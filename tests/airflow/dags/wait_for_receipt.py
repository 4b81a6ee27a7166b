"""A DAG of the tests: one wait for the samples of a service request, left to the triggerer at once."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from sensors.receipt import WaitForSampleReceipt

with DAG("wait_for_receipt", schedule=None, params={"sr": Param("", type="string")}):
    WaitForSampleReceipt(task_id="wait", service_requests=["{{ params.sr }}"], inline_seconds=0, interval=2)
