"""Does nothing, when it is triggered; for the comparison of two ways to start a DAG."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("by_run_id", schedule=None):
    EmptyOperator(task_id="nothing")
