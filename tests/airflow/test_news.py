"""What has started a run says how new the framework's word must be: nothing that a person waits for is put off."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.api.datamodels._generated import AssetEventDagRunReference, DagRunType
from airflow.sdk.execution_time.comms import AssetEventDagRunReferenceResult
from airflow.sdk.execution_time.context import TriggeringAssetEventsAccessor

from operators.news import wanted_changes
from pv_testing.workflow.shared_changes import Wanted


def context(kind: Any, *extras: dict[str, Any], attempt: int = 1) -> Any:
    events = TriggeringAssetEventsAccessor.build([event(extra) for extra in extras])
    run = SimpleNamespace(run_type=kind)
    return {"ti": SimpleNamespace(try_number=attempt), "dag_run": run, "triggering_asset_events": events}


def event(extra: dict[str, Any]) -> AssetEventDagRunReferenceResult:
    made = AssetEventDagRunReference(
        asset={"name": "framework_statuses", "uri": "pv://framework/statuses", "extra": {}},
        extra=extra,
        source_task_id="pull_statuses",
        source_dag_id="pv_status_sync",
        source_run_id="run",
        source_map_index=-1,
        source_aliases=[],
        timestamp=datetime.now(timezone.utc),
    )
    return AssetEventDagRunReferenceResult.from_asset_event_dag_run_reference(made)


IDLE = {"created": 0, "updated": 0, "adopted": 0, "unchanged": 3, "dry_run": False}


def test_a_run_by_schedule_takes_each_reading_once() -> None:
    assert wanted_changes(context(DagRunType.SCHEDULED)) is Wanted.UNSEEN


@pytest.mark.parametrize("kind", [DagRunType.MANUAL, DagRunType.OPERATOR_TRIGGERED, DagRunType.BACKFILL, None])
def test_any_other_run_sees_what_is_there_now(kind: Any) -> None:
    assert wanted_changes(context(kind)) is Wanted.NOW


@pytest.mark.parametrize("kind", [DagRunType.SCHEDULED, DagRunType.ASSET_TRIGGERED])
def test_so_does_another_try(kind: Any) -> None:
    assert wanted_changes(context(kind, IDLE, attempt=2)) is Wanted.NOW


@pytest.mark.parametrize("news", [{"created": 1}, {"updated": 2}, {"adopted": 1}])
def test_and_a_run_that_a_change_has_set_off(news: dict[str, Any]) -> None:
    assert wanted_changes(context(DagRunType.ASSET_TRIGGERED, IDLE, {**IDLE, **news})) is Wanted.NOW


def test_an_event_without_numbers_may_tell_of_a_change() -> None:
    assert wanted_changes(context(DagRunType.ASSET_TRIGGERED, {"from": "a person"})) is Wanted.NOW
    assert wanted_changes(context(DagRunType.ASSET_TRIGGERED)) is Wanted.NOW


def test_a_task_that_has_changed_nothing_sets_off_a_run_that_asks_nothing_more() -> None:
    assert wanted_changes(context(DagRunType.ASSET_TRIGGERED, IDLE, IDLE)) is Wanted.RECENT
