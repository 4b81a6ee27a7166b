"""Runs a worker on a machine that can be suspended, and stops it right before a write to the socket where asked.

``python -m tests.chaos.standstill CLOCK WRITE MODULE …`` runs ``MODULE``. In a suspension ``CLOCK_MONOTONIC`` stands
still, while the wall clock and ``CLOCK_BOOTTIME`` run on. A stopped process has a ``CLOCK_MONOTONIC`` that runs on, so
that here it loses the seconds that the file ``CLOCK`` says; whoever stops the process writes them before it is
continued. Only this clock is not the machine's own: the process, its stop, sockets, server and database are real.
"""

from __future__ import annotations

import asyncio.selector_events
import mmap
import os
import runpy
import signal
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECONDS = struct.Struct("d")
WRITES = (b"POST /api/v2/samples HTTP", b"POST /api/v2/samples/bulk HTTP")


def stand_still(path: Path) -> None:
    """Take the seconds that a file says from each monotonic clock of this process.

    Args:
        path: the file, one double.
    """
    with path.open("rb") as file:
        lost = mmap.mmap(file.fileno(), SECONDS.size, access=mmap.ACCESS_READ)

    def seconds() -> float:
        return float(SECONDS.unpack_from(lost)[0])

    def slower(clock: Callable[[], Any], unit: type[int | float], scale: float) -> Callable[[], Any]:
        return lambda: clock() - unit(seconds() * scale)

    def on_machine(clock: int) -> float:
        return gettime(clock) - (seconds() if clock == time.CLOCK_MONOTONIC else 0.0)

    gettime = time.clock_gettime
    replaced = {
        id(time.monotonic): slower(time.monotonic, float, 1.0),
        id(time.monotonic_ns): slower(time.monotonic_ns, int, 1e9),
        id(time.perf_counter): slower(time.perf_counter, float, 1.0),
        id(time.perf_counter_ns): slower(time.perf_counter_ns, int, 1e9),
        id(time.clock_gettime): on_machine,
    }
    for module in list(sys.modules.values()):  # some have taken a clock under a name of their own
        for name, value in list(vars(module).items()):
            if id(value) in replaced:
                setattr(module, name, replaced[id(value)])


def stop_before(number: int) -> None:
    """Stop this process right before it writes the request to the socket that creates for the so many-th time.

    Args:
        number: which time, from 1 on.
    """
    left = [number]
    transport: Any = asyncio.selector_events._SelectorSocketTransport  # type: ignore[attr-defined]
    write, write_lines = transport.write, transport.writelines

    def look(data: bytes) -> None:
        if data.startswith(WRITES):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGSTOP)

    def stopping_write(self: Any, data: Any) -> None:
        look(bytes(data[:64]))
        write(self, data)

    def stopping_write_lines(self: Any, lines: Any) -> None:
        kept = list(lines)
        look(bytes(kept[0][:64]) if kept else b"")
        write_lines(self, kept)

    transport.write, transport.writelines = stopping_write, stopping_write_lines


def main() -> None:
    """Run the module that the command line names."""
    clock, number, module, *arguments = sys.argv[1:]
    stand_still(Path(clock))
    if int(number):
        stop_before(int(number))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
