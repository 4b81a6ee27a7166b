"""A backfill goes behind the sweeps and a person's replay before them, whatever the operator."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.api.datamodels._generated import DagRunType

from operators.priorities import priority_of
from operators.records import CarryRecordsOperator
from operators.service_requests import ChooseServiceRequestsOperator
from pv_testing.core.priority import Priority, current


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


class Asked(Exception):
    """Says in which class of work a system would be asked."""


class Carries(CarryRecordsOperator):
    def _carried(self, *_: object) -> None:
        raise Asked(current())


class Chooses(ChooseServiceRequestsOperator):
    def chosen(self, *_: object) -> None:
        raise Asked(current())


@pytest.mark.parametrize(
    ("operator", "run_type", "wanted"),
    [
        (Carries(task_id="a", system="lims", operation="create_sample", records=[]), "backfill", Priority.BACKFILL),
        (Carries(task_id="b", system="lims", operation="x", records=[], replay=True), "manual", Priority.REPLAY),
        (Carries(task_id="c", system="lims", operation="x", records=[], replay="false"), "manual", Priority.NORMAL),
        (Chooses(task_id="d"), "backfill", Priority.BACKFILL),
        (Chooses(task_id="e"), "scheduled", Priority.NORMAL),
    ],
)
def test_each_operator_asks_in_the_class_of_its_run(operator: BaseOperator, run_type: str, wanted: Priority) -> None:
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1)
    with pytest.raises(Asked) as caught:
        operator.execute({"dag_run": SimpleNamespace(run_type=run_type), "ti": ti})
    assert caught.value.args == (wanted,)
    assert current() is Priority.NORMAL
