"""Sends the counters and timers of the core to Airflow's metrics: StatsD or OpenTelemetry, as Airflow is configured."""

from __future__ import annotations

from datetime import timedelta

from pv_testing.core.metrics import Tags

PREFIX = "pv_testing"


class AirflowMetrics:
    """A sink of :mod:`pv_testing.core.metrics`; each name becomes ``pv_testing.NAME``."""

    def count(self, name: str, number: int, tags: Tags) -> None:
        """Add to a counter of Airflow."""
        from airflow.sdk.observability import stats

        stats.incr(f"{PREFIX}.{name}", number, tags=dict(tags))

    def time(self, name: str, seconds: float, tags: Tags) -> None:
        """Note a duration with Airflow."""
        from airflow.sdk.observability import stats

        stats.timing(f"{PREFIX}.{name}", timedelta(seconds=seconds), tags=dict(tags))
