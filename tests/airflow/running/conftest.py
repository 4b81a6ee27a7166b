"""One running Airflow with its laboratory, for all tests that need a scheduler; they follow each other.

It has an api-server, a scheduler, a DAG processor and a triggerer on SQLite. The tests bring service requests of their
own. Two users are administrators: ada, who is logged in, and vera.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.story import Story
from tests.airflow.running.launcher import Running, launched


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the scheduler's tests come first: some count all that the systems hold, which later tests add to."""
    places = [number for number, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    ordered = sorted((items[place] for place in places), key=lambda item: item.path.name != "test_scheduler.py")
    for place, item in zip(places, ordered, strict=True):
        items[place] = item


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with launched(tmp_path_factory.mktemp("running")) as running:
        yield running


@pytest.fixture(scope="package")
def story(running: Running) -> Story:
    return running.story
