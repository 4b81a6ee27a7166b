"""What is loaded before an exchange, kept out of the garbage collector's sight."""

from __future__ import annotations

import gc

_frozen = False
_YOUNG = 10_000
"""New objects after which the collector looks at them; Python's 700 are the objects of a dozen records."""


def freeze_once() -> None:
    """Take what is loaded now, which stays to the end of the process, out of every later collection.

    A task has some hundred thousand objects of modules and contracts when its exchange begins. Each full collection
    goes through all of them, which costs a record in bulk about a quarter of its time. It is done once a process: what
    is garbage at that moment stays, and must not add up. From then on the collector looks at new objects more seldom,
    as nearly all of them are freed without it. Only processes that are ours call it, such as a task's; a notebook's
    objects are its user's.
    """
    global _frozen  # noqa: PLW0603 - a process has one heap
    if not _frozen:
        _frozen = True
        gc.freeze()
        gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
