"""Airflow on one machine: its environment, and its components one by one."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.api import Api
from demo.processes import Components, DemoError, last_words

PROJECT = Path(__file__).resolve().parent.parent
MIGRATION_SECONDS = 180.0
START_SECONDS = 300.0
COMPONENTS = {
    "api-server": ("api-server", "--host", "127.0.0.1"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
FOREIGN = ("AIRFLOW", "PYTHONPATH", "PYTHONHOME", "PV_", "LAB_", "FRAMEWORK_", "LIMS_", "QMS_", "PM_", "ERP_")


@dataclass(frozen=True)
class AirflowSetting:
    """The settings of one Airflow on this machine.

    Attributes:
        home: Airflow's home; everything that Airflow writes lies in it.
        port: where the API server listens on 127.0.0.1.
        connections: Airflow connections by id, as Airflow's JSON form has them.
        extra: further environment variables.
    """

    home: Path
    port: int
    connections: Mapping[str, Mapping[str, Any]]
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address of the UI and the API."""
        return f"http://127.0.0.1:{self.port}"


def secret(folder: Path, name: str, size: int = 48) -> str:
    """Return the secret of that name, made at random the first time and kept in a file that only its owner reads.

    Args:
        folder: where the file is.
        name: of the secret.
        size: in bytes, before they are written as text.
    """
    path = folder / name
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as sink:
            sink.write(base64.urlsafe_b64encode(secrets.token_bytes(size)).decode())
    return path.read_text()


def plain_environment() -> dict[str, str]:
    """Return the caller's environment without the variables of another Airflow or laboratory."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**inherited, "NO_PROXY": "127.0.0.1,localhost", "PYTHONUNBUFFERED": "1"}


def environment(setting: AirflowSetting) -> dict[str, str]:
    """Return the whole environment of the components: nothing of the caller's own Airflow leaks into it."""
    home = setting.home
    home.mkdir(parents=True, exist_ok=True)
    airflow = {
        "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "4",
        "CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__TEST_CONNECTION": "Enabled",
        "CORE__FERNET_KEY": secret(home, "fernet_key", 32),
        "CORE__EXECUTION_API_SERVER_URL": f"{setting.url}/execution/",
        "API__BASE_URL": setting.url,
        "API__PORT": str(setting.port),
        "API__WORKERS": "1",
        "API__SECRET_KEY": secret(home, "api_secret_key"),
        "API_AUTH__JWT_SECRET": secret(home, "jwt_secret"),
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
        "WORKERS__EXECUTION_API_TIMEOUT": "30",
    }
    return {
        **plain_environment(),
        "AIRFLOW_HOME": str(home),
        **{f"AIRFLOW__{name}": value for name, value in airflow.items()},
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in setting.connections.items()},
        "PYTHONPATH": str(PROJECT / "plugins"),
        **setting.extra,
    }


def start(setting: AirflowSetting, components: Components) -> Api:
    """Start Airflow's components one by one and return its API once all of them are healthy.

    Raises:
        DemoError: a component ended or took too long.
    """
    variables = environment(setting)
    _migrate(variables, components.logs / "migration.log")
    for name, arguments in COMPONENTS.items():
        components.start(name, _command(*arguments), variables, PROJECT)
    api = Api(setting.url)
    components.wait_for("Starting Airflow", api.healthy, seconds=START_SECONDS, poll=0.5)
    return api


def _migrate(variables: Mapping[str, str], log: Path) -> None:
    with log.open("wb") as sink:
        finished = subprocess.run(  # noqa: S603 - the command is this module's own
            _command("db", "migrate"),
            env=dict(variables),
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            timeout=MIGRATION_SECONDS,
            check=False,
        )
    if finished.returncode:
        raise DemoError(f"Airflow's database could not be made.\n{last_words(log)}")


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "airflow", *arguments]
