"""Shows which service requests the operators of projects choose: open ones, and closed ones that aren't finished."""

from __future__ import annotations

from contextlib import closing

import sandbox
from operators.projects import CreateTasksOperator, LogHoursOperator, UpdateTasksOperator
from pv_testing.core.sync import run
from pv_testing.domain.reading import read_service_request
from pv_testing.integrations import FrameworkClient
from pv_testing.ledger import Ledger
from pv_testing.projects.tasks import HOURS_SWEEP, STATUS_SWEEP, TASK_SWEEP
from pv_testing.workflow.sweep_backlog import SweepBacklog


def chosen(operator, framework):
    """Return what an operator chooses; its step asks the framework, and the ledger that the client has."""
    return operator.chosen(operator.step()(framework, framework))


def test_closed_requests_are_chosen_until_their_tasks_are_there(tmp_path):
    plan = sandbox.SeedPlan(requests=3, modules=1, protocols=1)
    with sandbox.serve(tmp_path / "lab", seed_plan=plan) as lab, Ledger.in_memory() as ledger:
        known = lab.credentials
        user = {"username": known.framework_username, "password": known.framework_password}
        with closing(FrameworkClient(lab.framework_url, ledger=ledger, **user)) as framework:
            for sr_id in (2, 3):
                lab.advance(sr_id, "CLOSED")
            create = CreateTasksOperator(task_id="create")
            assert chosen(create, framework) == [1]
            second = read_service_request(framework.get_service_request(2))
            for sweep in (TASK_SWEEP, STATUS_SWEEP):
                run(SweepBacklog(ledger, sweep).keep([(second, False)]))
            assert chosen(create, framework) == [1, 2]
            assert chosen(UpdateTasksOperator(task_id="update"), framework) == [2]
            assert chosen(LogHoursOperator(task_id="hours"), framework) == []
            assert chosen(CreateTasksOperator(task_id="create", service_request="3"), framework) == [3]


def test_the_operators_ask_for_what_the_workflows_remember():
    operators = (CreateTasksOperator, UpdateTasksOperator, LogHoursOperator)
    assert tuple(each(task_id="it").step().sweep for each in operators) == (TASK_SWEEP, STATUS_SWEEP, HOURS_SWEEP)
