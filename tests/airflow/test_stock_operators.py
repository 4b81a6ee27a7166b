"""Shows which service requests the operators of inventory choose: open ones, and closed ones that aren't finished."""

from __future__ import annotations

from contextlib import closing
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowSkipException

import sandbox
from demo.laboratory import connections
from operators.stock import DrawConsumablesOperator, MoveStockOperator
from pv_testing.core.sync import run
from pv_testing.domain.reading import read_service_request
from pv_testing.integrations import FrameworkClient
from pv_testing.inventory.stock import DRAWN, STOCK
from pv_testing.ledger import Ledger
from pv_testing.workflow.sweep_backlog import SweepBacklog
from tests.airflow.home import connect


@pytest.fixture
def lab(tmp_path):
    with sandbox.serve(tmp_path / "lab", seed_plan=sandbox.SeedPlan(requests=3, modules=1, protocols=1)) as served:
        yield served


@pytest.fixture
def framework(lab):
    known = lab.credentials
    user = {"username": known.framework_username, "password": known.framework_password}
    with Ledger.in_memory() as ledger, closing(FrameworkClient(lab.framework_url, ledger=ledger, **user)) as client:
        yield client


def chosen(operator, framework):
    """Return what an operator chooses; its step asks the framework, and the ledger that the client has."""
    return operator.chosen(operator.step()(framework, framework))


@pytest.mark.parametrize(("operator", "name"), [(MoveStockOperator, STOCK), (DrawConsumablesOperator, DRAWN)])
def test_open_requests_are_chosen_and_closed_ones_until_they_are_finished(lab, framework, operator, name):
    first, second, third = (request["id"] for request in framework.list_service_requests())
    lab.run_executions(first)
    for sr in (second, third):
        lab.advance(sr, "CLOSED")
    task = operator(task_id="step")
    assert task.step().sweep == name
    assert chosen(task, framework) == [first]
    memory = SweepBacklog(framework.ledger, name, 30)
    known = {sr_id: read_service_request(framework.get_service_request(sr_id)) for sr_id in (first, second)}
    run(memory.keep([(known[first], False), (known[second], False)]))
    assert sorted(set(chosen(task, framework))) == [first, second]
    run(SweepBacklog(framework.ledger, name, 30).keep([(known[second], True)]))
    assert set(chosen(task, framework)) == {first}


def test_the_one_that_is_asked_for_is_chosen_whatever_its_state(lab, framework):
    (first, second, _) = (request["id"] for request in framework.list_service_requests())
    lab.advance(second, "CLOSED")
    assert chosen(MoveStockOperator(task_id="step", service_request="SR-2025-0002"), framework) == [second]
    assert chosen(MoveStockOperator(task_id="step", service_request=str(first)), framework) == [first]


@pytest.mark.parametrize("operator", [MoveStockOperator, DrawConsumablesOperator])
def test_an_erp_that_keeps_no_stock_skips_the_task_in_words(lab, monkeypatch, tmp_path, operator):
    known = connections(lab)
    known["pv_ledger"] = {"conn_type": "pv_ledger", "extra": {"path": str(tmp_path / "ledger.sqlite")}}
    known["pv_erp"]["extra"] = {"provider": "ERPNext", "contract": "erp_erpnext", "auth_type": "api_key"}
    connect(monkeypatch, known)
    lab.run_executions(1)
    ti = SimpleNamespace(dag_id="pv_invoicing", run_id="run-1", task_id="step", map_index=-1, try_number=1)
    with pytest.raises(AirflowSkipException, match="the ERP keeps no stock of the laboratory"):
        operator(task_id="step").execute({"ti": ti, "outlet_events": {}})
