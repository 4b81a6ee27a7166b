"""What a task does is counted in Airflow's own metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk._shared.observability.metrics import stats

from operators.samples import CreateSamplesOperator
from operators.service_requests import ChooseServiceRequestsOperator
from pv_testing.core import metrics
from tests.airflow.test_optional_connections import context, lab

__all__ = ["lab"]


class Backend:
    """A backend of Airflow's metrics that keeps what it gets."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.times: Counter[str] = Counter()

    def incr(self, stat: str, count: int = 1, rate: float = 1, *, tags: dict[str, Any] | None = None) -> None:
        del rate
        self.counts[stat, (tags or {}).get("result", "")] += count

    def timing(self, stat: str, dt: timedelta, *, tags: dict[str, Any] | None = None) -> None:
        assert isinstance(dt, timedelta)
        assert tags
        self.times[stat] += 1


@pytest.fixture
def backend() -> Iterator[Backend]:
    kept = Backend()
    before = stats._factory, stats._export_legacy_names
    stats.initialize(factory=lambda: kept, export_legacy_names=True)
    yield kept
    stats.initialize(factory=before[0], export_legacy_names=before[1])
    metrics.send_to(None)


def test_a_task_counts_its_records_and_requests(lab, backend: Backend) -> None:
    (asked,) = ChooseServiceRequestsOperator(task_id="choose").execute(context())
    CreateSamplesOperator(task_id="create", **asked).execute(context())
    assert backend.counts["pv_testing.records", "created"] == 2
    assert backend.counts["pv_testing.requests", ""] >= 3
    assert backend.times["pv_testing.exchange_seconds"] == 1
    assert backend.times["pv_testing.request_seconds"] == backend.times["pv_testing.wait_seconds"] >= 3
