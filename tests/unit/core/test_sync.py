"""Shows that asynchronous work runs from synchronous code, beside other loops and in forks, and can be stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pv_testing.core import sync
from pv_testing.core.sync import run

PLUGINS = str(Path(__file__).parents[3] / "plugins")


async def whose() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


def python(code: str, *lines: str, stderr: int | None = None) -> subprocess.Popen[str]:
    # A shell's background job ignores SIGINT, and so do its children unless they say otherwise.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = "\n".join(["import asyncio, os, sys", heard, "from pv_testing.core.sync import run", code, *lines])
    environment = {**os.environ, "PYTHONPATH": PLUGINS}
    command = [sys.executable, "-W", "ignore", "-c", program]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True)


def test_work_runs_in_one_thread_of_its_own():
    assert {run(whose()) for _ in range(3)} == {"pv-testing-loop"}


def test_what_work_raises_is_raised():
    async def fail() -> None:
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        run(fail())


def test_work_runs_while_another_loop_runs_in_this_thread():
    async def main() -> str:
        return run(whose())

    assert asyncio.run(main()) == "pv-testing-loop"


def test_work_of_many_threads_runs_at_a_time():
    together = threading.Barrier(3)

    async def meet() -> int:
        return await asyncio.to_thread(together.wait, 5)

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(run(meet()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert sorted(found) == [0, 1, 2]


def test_work_that_would_wait_for_itself_is_refused():
    async def inner() -> str:
        return run(whose())

    with pytest.raises(RuntimeError, match="await"):
        run(inner())
    assert run(whose()) == "pv-testing-loop"


def test_a_forked_process_has_a_loop_of_its_own():
    code = """
async def here(): return os.getpid()
assert run(here()) == os.getpid()
child = os.fork()
if child == 0:
    os._exit(0 if run(here()) == os.getpid() else 1)
_, status = os.waitpid(child, 0)
assert run(here()) == os.getpid()
print(os.waitstatus_to_exitcode(status))
"""
    process = python(code)
    assert process.communicate(timeout=10)[0].strip() == "0"
    assert process.returncode == 0


INTERRUPTED = """
async def work():
    {begin}
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.05)
        print("cleaned up", flush=True)
try:
    run(work())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_an_interruption_cancels_the_work_and_lets_it_clean_up():
    process = python(INTERRUPTED.format(begin='print("begun", flush=True)'))
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10)[0].split("\n")[:2] == ["cleaned up", "interrupted"]
    assert process.returncode == 0


def test_an_interruption_while_the_work_is_handed_over_cancels_it_too():
    code = """
import signal, threading
hand_over = asyncio.run_coroutine_threadsafe
def interrupted(coroutine, loop):
    future = hand_over(coroutine, loop)
    begun.wait(10)
    signal.raise_signal(signal.SIGINT)
    return future
asyncio.run_coroutine_threadsafe = interrupted
begun = threading.Event()
"""
    process = python(code, INTERRUPTED.format(begin="begun.set()"))
    assert process.communicate(timeout=20)[0].split("\n")[:2] == ["cleaned up", "interrupted"]
    assert process.returncode == 0


def test_work_that_refuses_to_end_does_not_hold_up_an_interruption_for_ever():
    code = """
from pv_testing.core import sync
sync.GRACE = 0.2
async def work():
    print("begun", flush=True)
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
try:
    run(work())
except KeyboardInterrupt:
    print("interrupted", flush=True)
    os._exit(0)
"""
    process = python(code)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=10)[0] == "interrupted\n"
    finally:
        process.kill()
        process.communicate()


def test_an_interruption_that_does_not_wake_the_waiting_thread_is_noticed_too():
    # As one that comes between the last look at signals and the wait: here another thread takes it.
    unseen = "import signal, threading; signal.pthread_kill(threading.get_ident(), signal.SIGINT)"
    process = python(INTERRUPTED.format(begin=unseen))
    try:
        assert process.communicate(timeout=15)[0].split("\n")[:2] == ["cleaned up", "interrupted"]
    finally:
        process.kill()
        process.communicate()


def test_what_work_raises_when_it_takes_too_long_is_raised(monkeypatch):
    async def fail() -> None:
        await asyncio.sleep(0.05)
        raise TimeoutError("the work's own")

    monkeypatch.setattr(sync, "NOTICE", 0.01)
    with pytest.raises(TimeoutError, match="the work's own"):
        run(fail())


@pytest.mark.parametrize("fate", ["", "del session; import gc; gc.collect()"])
def test_a_session_that_nobody_closes_is_closed_when_it_is_forgotten_or_all_ends(fate):
    code = """
import socket, weakref
keeps_python_from_ending_us_first = weakref.finalize(run, int)
from pv_testing.core.errors import AmbiguousOutcome
from pv_testing.transports.rest import RestSession, RestSettings
server = socket.create_server(("127.0.0.1", 0))
async def connect():
    session = RestSession(RestSettings("http://127.0.0.1:%d" % server.getsockname()[1]))
    asking = asyncio.ensure_future(session.request("POST", "/samples", json={}))
    talk, _ = await asyncio.to_thread(server.accept)
    talk.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
    await asking
    return session, talk
session, talk = run(connect())
"""
    process = python(code, fate, stderr=subprocess.STDOUT)
    assert process.communicate(timeout=10)[0] == ""
    assert process.returncode == 0
