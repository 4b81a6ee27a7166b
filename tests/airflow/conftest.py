"""An Airflow home of its own for the tests, set before anything imports Airflow; and one running Airflow at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator

import pytest

from tests.airflow.home import PROJECT, prepare

prepare()


@pytest.fixture(scope="module")
def alone() -> Iterator[None]:
    """Wait until no other process of the tests runs an Airflow: one fills a machine, and two would choose one port."""
    folder = PROJECT / ".run"
    folder.mkdir(exist_ok=True)
    with (folder / "airflow-tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
