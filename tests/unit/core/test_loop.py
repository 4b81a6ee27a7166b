"""Shows that the loop looks names up and connects without threads that a fork or a dead name server would hold up."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time

import pytest

from pv_testing.core.loop import new_loop
from pv_testing.core.sync import run

FORKED = """
import asyncio, os, socket, sys
from pv_testing.core.sync import run
async def connect(sock, address):
    await asyncio.get_running_loop().sock_connect(sock, address)
with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as sock:
    sock.setblocking(False)
    run(connect(sock, server.getsockname()))
    if os.fork() == 0:
        sys.exit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_a_forked_process_ends_well_after_its_parent_has_connected() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "0"


def test_names_without_an_answer_hold_up_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def slow(host: str, *arguments: object, **named: object) -> object:
        if host.startswith("unanswered"):
            time.sleep(2.0)
            raise socket.gaierror(socket.EAI_AGAIN, "no name server answers")
        return look_up(host, *arguments, **named)  # type: ignore[arg-type]

    async def connect(address: tuple[str, int]) -> tuple[float, list[BaseException]]:
        loop = asyncio.get_running_loop()
        unanswered = [asyncio.ensure_future(loop.getaddrinfo(f"unanswered{n}.example", 80)) for n in range(3)]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        with socket.socket() as sock:
            sock.setblocking(False)
            await loop.sock_connect(sock, address)
        seconds = time.monotonic() - began
        return seconds, list(await asyncio.gather(*unanswered, return_exceptions=True))  # type: ignore[misc]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with socket.create_server(("127.0.0.1", 0)) as server:
        seconds, errors = run(connect(server.getsockname()))
    assert ["no name server answers" in str(error) for error in errors] == [True] * 3
    assert seconds < 1.5


async def connect(address: tuple[str, int]) -> None:
    with socket.socket() as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)


def test_an_address_at_which_nothing_listens_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    with pytest.raises(ConnectionRefusedError):
        run(connect(address))


def test_a_connection_that_takes_long_can_be_given_up() -> None:
    async def connect_in_vain() -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            waiting = [socket.socket() for _ in range(3)]
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            try:
                await asyncio.wait_for(connect(full.getsockname()), 0.3)
            finally:
                for one in waiting:
                    one.close()

    loop = new_loop()
    try:
        with pytest.raises(asyncio.TimeoutError):
            loop.run_until_complete(connect_in_vain())
    finally:
        loop.close()
