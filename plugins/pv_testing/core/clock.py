"""A clock that runs on while this machine is suspended.

``time.monotonic()`` stands still while a machine sleeps, and a lease in the ledger doesn't. An attempt that counted its
lease by it would go on sending after it wakes, although others have taken its records over long ago.
"""

from __future__ import annotations

import time

LEAST_STEP = 0.5
"""Seconds by which the wall clock must be off before that counts: smaller ones are its usual corrections."""

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)
"""Counts the time since the machine's start, a suspension included; macOS and Windows have no such clock."""


class _Clock:
    """Adds the steps of a wall clock that is set forward to the time since the machine's start.

    That happens to a virtual machine after its host has paused it. A clock that is set back takes nothing away. The
    first reading finds the wall clock ahead by all the time before the machine's start.
    """

    def __init__(self) -> None:
        self._ahead = 0.0
        self._added = 0.0

    def seconds(self) -> float:
        since_start = time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)
        step = time.time() - since_start - self._ahead
        if step > LEAST_STEP or step < -LEAST_STEP:
            self._ahead += step
            self._added += max(step, 0.0)
        return since_start + self._added


seconds = _Clock().seconds
"""Returns seconds since an arbitrary moment.

They may run faster than real time. They run slower only where neither clock tells that the machine was paused.
"""
