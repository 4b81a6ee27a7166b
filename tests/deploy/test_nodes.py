"""The cluster's processes: started again when they end, killed and stopped with all that they have started."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cluster.attack import KINDS, Attack
from cluster.journey import STEPS
from cluster.nodes import Node, Nodes
from demo.story import DAGS, ON_DATA

TASK = "import os, time; os.setpgid(0, 0); print('task', os.getpid(), flush=True); time.sleep(120)"
POOL = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {TASK!r}])"
WORKER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {POOL!r}])"
BRIEF = "print('ran', flush=True)"


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with Nodes(tmp_path) as nodes:
        yield nodes


def start(nodes: Nodes, code: str, name: str = "worker-1") -> Node:
    return nodes.add(name, [sys.executable, "-c", code], os.environ, Path.cwd())


def until(ready: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def started(node: Node) -> list[int]:
    """Wait for the first task of a worker and return the ids of its tasks."""
    until(lambda: node.tasks() == 1 and tasks_of(node))
    return tasks_of(node)


def tasks_of(node: Node) -> list[int]:
    return [int(line.split()[1]) for line in node.log.read_text().splitlines() if line.startswith("task")]


def test_a_killed_worker_takes_its_tasks_with_it_and_is_started_again(nodes: Nodes) -> None:
    node = start(nodes, WORKER)
    (task,) = started(node)  # it leads a group of its own, as Airflow's tasks do
    assert node.kill(down=0.0) == 3
    until(lambda: not alive(task))
    until(lambda: len(tasks_of(node)) == 2)
    assert nodes.restarts() == {"worker-1": 1}


def test_one_that_is_kept_down_stays_down(nodes: Nodes) -> None:
    node = start(nodes, WORKER)
    started(node)
    node.kill(down=3600.0)
    until(node.ended)
    time.sleep(1.5)
    assert node.ended()


def test_one_that_ends_by_itself_is_started_again(nodes: Nodes) -> None:
    node = start(nodes, BRIEF)
    until(lambda: node.log.read_text().count("ran") >= 2)


def test_a_stopped_worker_stands_still_with_its_tasks_and_goes_on(nodes: Nodes) -> None:
    node = start(nodes, WORKER)
    (task,) = started(node)
    assert node.signal(signal.SIGSTOP) == 3
    until(lambda: {each.status() for each in node.family()} == {psutil.STATUS_STOPPED})
    node.signal(signal.SIGCONT)
    until(lambda: psutil.Process(task).status() == psutil.STATUS_SLEEPING)


def test_nothing_is_left_when_the_context_is_left_not_even_of_a_stopped_one(tmp_path: Path) -> None:
    with Nodes(tmp_path) as nodes:
        node = start(nodes, WORKER)
        (task,) = started(node)
        node.signal(signal.SIGSTOP)
    assert node.ended()
    until(lambda: not alive(task))


def test_the_nodes_of_a_service_are_found(nodes: Nodes) -> None:
    first, second = start(nodes, WORKER), start(nodes, WORKER, "worker-2")
    other = start(nodes, WORKER, "dag-processor-1")
    assert nodes.of("worker") == [first, second]
    assert nodes.of("dag-processor") == [other]


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_each_attack_strikes_as_often_as_asked_in_an_order_of_the_seed(rounds: int) -> None:
    plans = [Attack(None, seed, rounds, lambda: 0).plan() for seed in (1, 1, 2)]  # type: ignore[arg-type]
    assert Counter(plans[0]) == Counter(dict.fromkeys(KINDS, rounds) if rounds else {})
    assert plans[0] == plans[1]
    assert not rounds or plans[0] != plans[2]


def test_an_attack_that_has_not_struck_is_told() -> None:
    attack = Attack(None, 1, 1, lambda: 99)  # type: ignore[arg-type]
    assert attack.missed() == sorted(KINDS)


def test_the_last_attack_is_not_put_after_the_last_step() -> None:
    plan = Attack(None, 1, 3, lambda: 0).plan()  # type: ignore[arg-type]
    assert [place * len(STEPS) // len(plan) for place in range(len(plan))][-1] < len(STEPS)
    assert {dag_id for dag_id, _ in STEPS} | set(ON_DATA) | {"pv_webhooks"} == set(DAGS)
