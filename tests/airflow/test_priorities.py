"""A backfill goes behind the sweeps and a person's replay before them, whatever the operator."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk.api.datamodels._generated import DagRunType

from operators.priorities import priority_of
from pv_testing.core.priority import Priority


@pytest.mark.parametrize(
    ("run_type", "replay", "wanted"),
    [
        (DagRunType.SCHEDULED, False, Priority.NORMAL),
        (DagRunType.MANUAL, False, Priority.NORMAL),
        (DagRunType.MANUAL, True, Priority.REPLAY),
        (DagRunType.BACKFILL, False, Priority.BACKFILL),
        (DagRunType.BACKFILL, True, Priority.BACKFILL),
        ("backfill", False, Priority.BACKFILL),
    ],
)
def test_the_run_and_the_replay_decide(run_type: str, replay: bool, wanted: Priority) -> None:
    context = {"dag_run": SimpleNamespace(run_type=run_type)}
    assert priority_of(context, replay=replay) is wanted
