"""A run whose first task fails and whose last one runs whatever became of the first."""

from airflow.sdk import DAG, task

from operators.run_outcome import FailRunOperator

with DAG("red_first", schedule=None):

    @task
    def refuse():
        raise ValueError("no")

    @task(trigger_rule="all_done")
    def go_on():
        return "done"

    red, green = refuse(), go_on()
    red >> green
    [red, green] >> FailRunOperator(task_id="fail_run")
