"""One running Airflow with its laboratory, for all tests that need a scheduler; they follow each other.

It has an api-server, a scheduler, a DAG processor and a triggerer on SQLite. The tests bring service requests of their
own. Two users are administrators: ada, who is logged in, and vera.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.story import Story
from tests.airflow.running.launcher import Running, launched


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with launched(tmp_path_factory.mktemp("running")) as running:
        yield running


@pytest.fixture(scope="package")
def story(running: Running) -> Story:
    return running.story
