"""A writer that stands still with the write lock shuts the others out for a while only, and writes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import make_url

from pv_testing.core.errors import LedgerError
from pv_testing.ledger import Claim, Ledger, store

HOLDER = """
import os, signal, sys
from sqlalchemy import text
from pv_testing.core.errors import LedgerError
from pv_testing.ledger import store
from pv_testing.ledger.audit import Draft, append
from pv_testing.ledger.store import Store
store.BUSY_SECONDS = float(sys.argv[2])
try:
    with Store(sys.argv[1]).writing() as writing:
        append(writing, [Draft("frozen", "sweep")])
        print("holding", flush=True)
        if sys.argv[3]:
            writing.connection.execute(text(sys.argv[3])).all()
        else:
            os.kill(os.getpid(), signal.SIGSTOP)
    print("written", flush=True)
except LedgerError as error:
    print(error, flush=True)
"""


@contextmanager
def holder(
    url: str, environment: dict[str, str], seconds: float = 30, question: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """Start a process that takes the write lock and then stops itself, or asks something."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, url, str(seconds), question], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout.readline() == "holding\n"
        if not question:
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        yield process
    finally:
        process.kill()
        process.communicate()


def goes_on(process: subprocess.Popen[str]) -> str:
    """Continue the process and return what it says in the end."""
    process.send_signal(signal.SIGCONT)
    return process.communicate(timeout=60)[0]


def write(ledger: Ledger) -> float:
    began = time.monotonic()
    (claimed,) = ledger.claim("lims", "sample", [Claim("k", "a")], owner="o", lease=60)
    assert claimed.decision.held
    return time.monotonic() - began


@pytest.mark.postgres
def test_the_others_wait_until_the_server_has_thrown_it_out(schema, environment):
    with Ledger(schema) as ledger, holder(schema, environment) as process:
        shut_out = write(ledger)
        print(f"shut out for {shut_out:.1f} s")
        assert shut_out < 20
        assert "can't be used" in goes_on(process)
        assert ledger.verify().count == 0


@pytest.mark.postgres
def test_one_that_stands_still_while_the_server_answers_is_thrown_out_too(schema, environment):
    question = "SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"
    with Ledger(schema) as ledger, holder(schema, environment, question=question) as process:
        with psycopg.connect(make_url(schema).set(query={}).render_as_string(hide_password=False)) as administrator:
            asked = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'ClientWrite' AND query LIKE '%repeat%'"
            while not administrator.execute(asked).fetchone():
                administrator.rollback()
        process.send_signal(signal.SIGSTOP)
        shut_out = write(ledger)
        print(f"shut out for {shut_out:.1f} s")
        assert shut_out < 30
        assert "can't be used" in goes_on(process)
        assert ledger.verify().count == 0


def test_on_sqlite_the_others_say_who_it_is_and_send_nothing(tmp_path, environment, monkeypatch):
    monkeypatch.setattr(store, "BUSY_SECONDS", 1)
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    with Ledger(url) as ledger, holder(url, environment, 1) as process:
        with pytest.raises(LedgerError, match=f"process {process.pid}, which is stopped,.*nothing is sent"):
            write(ledger)
        assert "stood still for more than" in goes_on(process)
        write(ledger)
        assert ledger.verify().count == 0
