"""``deploy/values.yaml`` says to Kubernetes what ``compose.yaml`` says to Docker."""

from __future__ import annotations

from cluster import compose
from cluster.compose import PROJECT
from tests import yaml_text

VALUES = yaml_text.read(PROJECT / "deploy" / "values.yaml")
OF_THE_CHART = {
    "AIRFLOW_HOME",
    "PV_SYNC_INTERVAL",
    "DUMB_INIT_SETSID",
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CORE__DAGS_FOLDER",
    "AIRFLOW__CORE__PLUGINS_FOLDER",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__CORE__FERNET_KEY_CMD",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE",
    "AIRFLOW__API__HOST",
    "AIRFLOW__API__PORT",
    "AIRFLOW__API__BASE_URL",
    "AIRFLOW__API__SECRET_KEY_CMD",
    "AIRFLOW__API_AUTH__JWT_SECRET_CMD",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC_CMD",
    "AIRFLOW__CELERY__BROKER_URL_CMD",
    "AIRFLOW__CELERY__RESULT_BACKEND_CMD",
    "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER",
    "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT",
    "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT",
}
"""What the chart says itself, from its secrets and services, or what is Airflow's default in a pod."""


def test_the_environment_is_that_of_compose() -> None:
    of_compose = compose.services({})["worker"].environment
    in_values = {each["name"]: each["value"] for each in VALUES["env"]}
    assert in_values == {name: value for name, value in of_compose.items() if name not in OF_THE_CHART}


def test_every_value_of_the_environment_is_text_as_kubernetes_wants_it() -> None:
    assert {type(each["value"]) for each in VALUES["env"]} == {str}


def test_secrets_are_named_and_not_written_down() -> None:
    page = (PROJECT / "docs" / "production.md").read_text(encoding="utf-8")
    named = {
        VALUES["data"]["metadataSecretName"],
        *(VALUES[f"{key}SecretName"] for key in ("fernetKey", "apiSecretKey")),
    }
    named |= {VALUES["jwtSecretName"], *(each["secret"]["secretName"] for each in VALUES["volumes"])}
    for name in named:
        assert f"create secret generic {name} " in page


def test_the_airflow_is_the_one_of_the_image() -> None:
    required = (PROJECT / "requirements.txt").read_text(encoding="utf-8")
    assert f"apache-airflow=={VALUES['airflowVersion']} " in required
    assert f"slim-{VALUES['airflowVersion']}-" in (PROJECT / "Dockerfile").read_text(encoding="utf-8")


def test_pods_run_without_root() -> None:
    assert VALUES["securityContexts"]["containers"]["runAsNonRoot"] is True
