"""All processes wait alike for SQLite's write lock: none is passed again and again by those that write much."""

from __future__ import annotations

import subprocess
import sys
import time

from pv_testing.ledger import Ledger
from pv_testing.ledger.audit import Draft, append

MUCH = """
import sys, time
from pv_testing.ledger.audit import Draft, append
from pv_testing.ledger.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
while True:
    with store.writing() as writing:
        append(writing, [Draft("much", "sweep")])
        time.sleep(0.02)
    time.sleep(0.002)
"""


def test_a_process_that_writes_little_is_not_passed_for_long_by_two_that_write_much(tmp_path, environment):
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    Ledger(url).close()
    busy = [
        subprocess.Popen([sys.executable, "-c", MUCH, url], env=environment, stdout=subprocess.PIPE) for _ in range(2)
    ]
    try:
        for process in busy:
            assert process.stdout.readline() == b"ready\n"
        with Ledger(url) as ledger:
            passed = [written_before(ledger) for _ in range(20)]
    finally:
        for process in busy:
            process.kill()
            process.communicate()
    assert sum(passed) < 150


def written_before(ledger: Ledger) -> int:
    """Write once, and return how many events others have written from the moment at which the lock was asked for."""
    time.sleep(0.05)
    asked = len(list(ledger.events()))
    with ledger._store.writing() as writing:
        append(writing, [Draft("little", "sweep")])
    return [event.owner for event in ledger.events()][asked:].index("little")
