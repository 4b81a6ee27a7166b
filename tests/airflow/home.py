"""Where Airflow lives while the tests run: a folder inside the clone that goes when they end."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


@functools.cache
def prepare() -> dict[str, str]:
    """Point Airflow to an empty home and to this project's DAGs and plugins; return the whole environment."""
    parent = PROJECT / ".run"
    parent.mkdir(exist_ok=True)
    home = tempfile.mkdtemp(prefix="tests-", dir=parent)
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    os.environ.update(
        AIRFLOW_HOME=home,
        AIRFLOW__CORE__DAGS_FOLDER=str(PROJECT / "dags"),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(PROJECT / "plugins"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__UNIT_TEST_MODE="True",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home}/airflow.db",
    )
    return dict(os.environ)
