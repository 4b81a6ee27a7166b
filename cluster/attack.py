"""What happens to the processes while they work: killed, stopped for longer than a lease, their queue emptied."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from cluster import servers
from cluster.airflow import Cluster
from cluster.journey import STEPS
from cluster.nodes import Node
from demo.reports import say

QUEUE = "default"
BROKER_KEYS = (QUEUE, "unacked", "unacked_index")
MOMENT_SECONDS = 90.0
POLL = 0.1
DOWN = (1.0, 10.0)
PAUSE = (0.5, 6.0)
LEASE = 1.25 * 120 + 2 + 1
"""Seconds of a lease under the contracts of the sandbox: see ``Limits.lease``."""
KINDS = (
    "worker",
    "freeze",
    "scheduler",
    "triggerer",
    "api-server",
    "dag-processor",
    "queue",
    "broker",
    "postgres",
)


@dataclass
class Attack(threading.Thread):
    """Attacks a cluster in a seeded order, each kind as often as asked, until it is told to stop.

    Args:
        cluster: what is attacked.
        seed: of the random numbers.
        rounds: how often each kind strikes.
        begun: says which step of the journey has begun; the attacks are spread over all of them.
        frozen: seconds for which a worker is stopped.
    """

    cluster: Cluster
    seed: int
    rounds: int
    begun: Callable[[], int]
    frozen: float = LEASE + 10.0
    struck: Counter[str] = field(default_factory=Counter)
    tasks_hit: int = 0
    messages_lost: int = 0

    def __post_init__(self) -> None:
        super().__init__(name="attack", daemon=True)
        self.random = random.Random(self.seed)  # noqa: S311 - the same attacks again
        self._over = threading.Event()

    def __hash__(self) -> int:
        return id(self)

    def stop(self) -> None:
        """End the attacks, and let everything that is stopped go on."""
        self._over.set()
        self.join()

    def plan(self) -> list[str]:
        """Return the kinds in the order in which they strike."""
        kinds = [kind for _ in range(self.rounds) for kind in KINDS]
        random.Random(self.seed).shuffle(kinds)  # noqa: S311 - the same attacks again
        return kinds

    def missed(self) -> list[str]:
        """Return the kinds that have struck less often than planned, because the attack ended with an error."""
        return sorted((Counter(self.plan()) - self.struck).elements())

    def told(self) -> str:
        """Return what has struck, in words."""
        kinds = ", ".join(f"{kind} {self.struck[kind]}" for kind in KINDS)
        return f"{kinds}; {self.tasks_hit} tasks and {self.messages_lost} messages hit"

    def run(self) -> None:
        """Strike until the plan is done."""
        does: dict[str, Callable[[], str]] = {
            "worker": self._kill_worker,
            "freeze": self._freeze_worker,
            **{kind: partial(self._kill, kind) for kind in ("scheduler", "triggerer", "api-server", "dag-processor")},
            "queue": self._purge,
            "broker": lambda: self._kill("redis"),
            "postgres": self._restart_postgres,
        }
        plan = self.plan()
        for place, kind in enumerate(plan):
            while self.begun() <= place * len(STEPS) // len(plan):
                if self._over.wait(POLL):
                    return
            if self._over.wait(self.random.uniform(*PAUSE)):
                return
            self._say(does[kind]())
            self.struck[kind] += 1

    def _kill_worker(self) -> str:
        node = self._busy_worker()
        tasks, killed = node.tasks(), node.kill(self.random.uniform(*DOWN))
        self.tasks_hit += tasks
        return f"{node.name} is killed with SIGKILL: {killed} processes, {tasks} tasks with their supervisors"

    def _freeze_worker(self) -> str:
        node = self._busy_worker()
        tasks, stopped = node.tasks(), node.signal(signal.SIGSTOP)
        self.tasks_hit += tasks
        self._say(f"{node.name} is stopped with SIGSTOP: {stopped} processes, {tasks} tasks")
        self._over.wait(self.frozen)
        node.signal(signal.SIGCONT)
        return f"{node.name} goes on after {self.frozen:.0f} s, {self.frozen - LEASE:.0f} s longer than a lease"

    def _kill(self, service: str) -> str:
        node = self.random.choice(self.cluster.nodes.of(service))
        killed = node.kill(self.random.uniform(*DOWN))
        return f"{node.name} is killed with SIGKILL: {killed} processes"

    def _purge(self) -> str:
        """Empty the queue, at a moment when tasks wait in it; Redis's list of unacknowledged messages too."""
        import redis  # not among the packages of `make test`

        self._moment(lambda: bool(servers.redis_answers(self.cluster.broker)))  # an earlier attack may have killed it
        with redis.Redis.from_url(self.cluster.broker) as client:
            self._moment(lambda: bool(client.llen(QUEUE)))
            waiting = int(client.llen(QUEUE))
            lost = waiting + int(client.hlen("unacked"))
            client.delete(*BROKER_KEYS)
        self.messages_lost += lost
        return f"the queue is purged: {waiting} tasks waited in it, {lost} messages are lost"

    def _restart_postgres(self) -> str:
        """Restart PostgreSQL without mercy for its clients, half of the times as a crash that recovers from its log."""
        (node,) = self.cluster.nodes.of("postgres")
        crash = self.random.random() < 0.5
        if node.process is not None:
            node.process.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
            node.process.wait(60)
        started = time.monotonic()
        while not servers.postgres_answers(self.cluster.database):
            time.sleep(POLL)
        how = "immediate, it recovers from its log" if crash else "fast"
        return f"PostgreSQL was restarted ({how}; answers again after {time.monotonic() - started:.1f} s)"

    def _busy_worker(self) -> Node:
        """Return a worker in which a task runs, where one comes soon."""
        workers = self.cluster.nodes.of("worker")
        self._moment(lambda: any(each.tasks() for each in workers))
        return max(workers, key=lambda each: (each.tasks(), self.random.random()))

    def _moment(self, good: Callable[[], bool]) -> None:
        """Wait for a good moment, a while."""
        deadline = time.monotonic() + MOMENT_SECONDS
        while not good() and time.monotonic() < deadline and not self._over.wait(POLL):
            continue

    @staticmethod
    def _say(text: str) -> None:
        say(f"          ⚡ {text}")
