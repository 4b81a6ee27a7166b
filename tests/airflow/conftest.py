"""An Airflow home of its own for the tests, set before anything imports Airflow."""

from __future__ import annotations

import pytest

from tests.airflow.home import PROJECT, prepare

prepare()


@pytest.fixture(scope="session")
def airflow_environment() -> dict[str, str]:
    """The environment of a fresh process that is to find this project as Airflow does."""
    return {**prepare(), "PYTHONPATH": str(PROJECT / "plugins")}
