"""Does nothing, when its asset has an event; for the comparison of two ways to start a DAG."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset

with DAG("by_asset", schedule=[Asset(name="told", uri="pv://inbox/told")]):
    EmptyOperator(task_id="nothing")
