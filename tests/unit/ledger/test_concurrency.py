"""Two owners never hold one record at the same time, whatever they do and whenever they die."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Decision, Ledger, Settlement, State

KEYS = ("k1", "k2", "k3")
ENDS = (
    (Result.CREATED, ""),
    (Result.REJECTED, "NO"),
    (Result.DEFERRED, "NOT_SENT"),
    (Result.DEFERRED, "AMBIGUOUS"),
    (Result.QUARANTINED, "DUPLICATE_IN_SYSTEM"),
)


@dataclass
class Hold:
    """A claim that was won: the record was held for certain from ``since`` to ``until``, monotonic seconds."""

    owner: int
    key: str
    token: int
    asked: float
    since: float
    until: float
    settled: bool | None = None


@dataclass(frozen=True)
class Step:
    keys: tuple[str, ...]
    fingerprint: str
    lease: float
    ends: tuple[tuple[Result, str], ...]
    dies: bool


STEPS = st.lists(
    st.builds(
        Step,
        st.lists(st.sampled_from(KEYS), min_size=1, unique=True).map(tuple),
        st.sampled_from(["a", "b"]),
        st.sampled_from([0.0, 0.002, 60.0]),
        st.tuples(*[st.sampled_from(ENDS)] * 3),
        st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=12,
)


def act(ledger: Ledger, owner: int, steps: list[Step], start: threading.Barrier, holds: list[Hold]) -> None:
    """Claim and settle as the steps say, and note what was won."""
    start.wait()
    for step in steps:
        asked = time.monotonic()
        claimed = ledger.claim(
            "lims", "sample", [Claim(key, step.fingerprint) for key in step.keys], owner=str(owner), lease=step.lease
        )
        since = time.monotonic()
        won = [one for one in claimed if one.decision.held]
        mine = [Hold(owner, one.key, one.token, asked, since, asked + step.lease) for one in won]
        holds += mine
        if step.dies:
            continue
        settled_at = time.monotonic()
        settlements = [Settlement(one, *end_of(end)) for one, end in zip(won, step.ends, strict=False)]
        refused = set(ledger.settle(settlements, owner=str(owner)))
        for hold in mine:
            hold.until = min(hold.until, settled_at)
            hold.settled = hold.key not in refused


def end_of(end: tuple[Result, str]) -> tuple[Result, str, str, str]:
    result, code = end
    return result, "", code, ""


def overlaps(holds: list[Hold]) -> list[tuple[Hold, Hold]]:
    """Return the pairs in which one owner asked for and won what another held all the while."""
    return [
        (one, other)
        for one in holds
        for other in holds
        if one is not other and one.key == other.key and other.asked >= one.since and other.since <= one.until
    ]


@settings(max_examples=25, deadline=None)
@given(st.lists(STEPS, min_size=2, max_size=3))
def test_no_two_owners_hold_one_record(plans):
    holds: list[Hold] = []
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'ledger.sqlite'}"
        ledgers = [Ledger(url) for _ in plans]
        start = threading.Barrier(len(plans))
        threads = [
            threading.Thread(target=act, args=(ledger, number, steps, start, holds))
            for number, (ledger, steps) in enumerate(zip(ledgers, plans, strict=True))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(ledgers[0], holds)
        for ledger in ledgers:
            ledger.close()


def check(ledger: Ledger, holds: list[Hold]) -> None:
    assert overlaps(holds) == []
    tokens = [(hold.key, hold.token) for hold in holds]
    assert len(set(tokens)) == len(tokens)
    for key in KEYS:
        given_out = sorted(token for one, token in tokens if one == key)
        assert given_out == list(range(1, 1 + len(given_out)))
    events = list(ledger.events())
    assert ledger.verify().count == len(events)
    assert sum(event.action == "settle" for event in events) == sum(hold.settled is True for hold in holds)
    assert sum(event.action == "settle_refused" for event in events) == sum(hold.settled is False for hold in holds)


@pytest.mark.postgres
def test_no_two_owners_hold_one_record_on_postgresql(schema):
    chance = random.Random(11)
    plans = [
        [
            Step(
                tuple(chance.sample(KEYS, k=2)), chance.choice("ab"), chance.choice([0.0, 0.002, 60.0]),
                tuple(chance.choices(ENDS, k=2)), dies=chance.random() < 0.2,
            )
            for _ in range(60)
        ]
        for _ in range(3)
    ]  # fmt: skip
    holds: list[Hold] = []
    start = threading.Barrier(3)
    ledgers = [Ledger(schema) for _ in plans]
    threads = [
        threading.Thread(target=act, args=(ledgers[number], number, plans[number], start, holds)) for number in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(ledgers[0], holds)
    for ledger in ledgers:
        ledger.close()


RACE = """
import sys
from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Decision, Ledger, Settlement
url, name = sys.argv[1:]
ledger = Ledger(url)
print("ready", flush=True)
sys.stdin.readline()
for batch in range(40):
    claims = [Claim(f"k{batch}-{n}", "a") for n in range(25)]
    won = [one for one in ledger.claim("lims", "sample", claims, owner=name, lease=60) if one.decision is Decision.NEW]
    assert ledger.settle([Settlement(one, Result.CREATED, name) for one in won], owner=name) == []
"""


def test_processes_that_race_for_the_same_records_create_each_once(url, environment):
    Ledger(url).close()
    processes = [start(RACE, environment, url, f"process {number}") for number in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[1] for process in processes] == [""] * 3
    with Ledger(url) as ledger:
        created = [event.key for event in ledger.events() if event.result == "created"]
        assert len(created) == len(set(created)) == 1_000
        assert ledger.verify().count == 1_000


def start(program: str, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


WORK = """
import itertools, sys
from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Ledger, Refusal, Settlement
url, life = sys.argv[1:]
ledger = Ledger(url)
for batch in itertools.count():
    claims = [Claim(f"{life}-{batch}-{n}", "a") for n in range(20)]
    claimed = ledger.claim("lims", "sample", claims, owner=life, lease=60)
    ledger.settle([Settlement(one, Result.CREATED, f"LIM-{one.key}") for one in claimed], owner=life)
    ledger.quarantine("lims", "sample", [Refusal(f"q-{life}-{batch}", "raw", "X", "x")], owner=life)
    print(batch, flush=True)
"""


def test_a_process_killed_at_any_moment_leaves_nothing_half_written(url, environment):
    chance = random.Random(5)
    acknowledged: list[str] = []
    Ledger(url).close()
    for life in range(8):
        process = start(WORK, environment, url, str(life))
        acknowledged += [f"{life}-{process.stdout.readline().strip()}" for _ in range(chance.randrange(1, 6))]
        time.sleep(chance.random() * 0.01)  # the moment of death is meant to be arbitrary
        process.send_signal(signal.SIGKILL)
        acknowledged += [f"{life}-{line.strip()}" for line in process.stdout if line.endswith("\n")]
        process.communicate()
        with Ledger(url) as ledger:
            ledger.verify()
    with Ledger(url) as ledger:
        check_whole(ledger, acknowledged)


def check_whole(ledger: Ledger, acknowledged: list[str]) -> None:
    """Each batch is there as a whole or not at all, and everything that was acknowledged is there."""
    states: dict[str, list[State]] = {}
    events = {(event.action, event.key) for event in ledger.events()}
    for entry in ledger.entries(kind="sample"):
        if entry.key.startswith("q-"):
            assert ("quarantine", entry.key) in events
        else:
            states.setdefault(entry.key.rsplit("-", 1)[0], []).append(entry.state)
            assert (entry.state is State.CONFIRMED) == (("settle", entry.key) in events)
            assert entry.external_id == (f"LIM-{entry.key}" if entry.state is State.CONFIRMED else "")
    for batch, found in states.items():
        assert found in ([State.CONFIRMED] * 20, [State.IN_FLIGHT] * 20), batch
    assert acknowledged
    for batch in acknowledged:
        assert states[batch] == [State.CONFIRMED] * 20
        assert ("quarantine", f"q-{batch}") in events


def test_a_decision_is_held_when_it_must_be_settled():
    assert {decision for decision in Decision if decision.held} == {Decision.NEW, Decision.CHANGED, Decision.RESOLVE}


@pytest.mark.postgres
def test_writers_of_one_process_wait_for_each_other_longer_than_for_the_lock(schema):
    with Ledger(f"{schema}%20-clock_timeout=100ms") as ledger, ThreadPoolExecutor() as pool:
        with ledger._store.writing():
            writing = [pool.submit(ledger.set_watermark, f"w{number}", "1") for number in range(4)]
            time.sleep(0.5)
        for one in writing:
            one.result(10)
