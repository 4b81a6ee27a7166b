"""An Airflow home of its own for the tests, set before anything imports Airflow."""

from __future__ import annotations

from tests.airflow.home import prepare

prepare()
