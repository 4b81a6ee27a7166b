"""How many tasks a workflow becomes: one a service request while they are few, balanced chunks of them beyond."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MOST_TASKS = 8
HUGE = 1_000
"""From so many modules on, a service request shares no task with small ones."""


def chunks(items: Sequence[str], most: int = MOST_TASKS) -> list[list[str]]:
    """Split items into at most so many chunks, whose sizes differ by one at the most, in their order.

    A mapped task costs a third of a CPU-second and a second of scheduling, while a hundred records in one task cost two
    seconds; and what grows with the work would at some size no longer fit into one transaction of the scheduler.

    Args:
        items: what is to be split, such as the numbers of service requests.
        most: the most chunks there may be.
    """
    number = min(len(items), most)
    bounds = [len(items) * index // number for index in range(number + 1)] if number else []
    return [list(items[start:end]) for start, end in zip(bounds, bounds[1:])]  # noqa: B905, RUF007 - one shorter is meant


def by_size(items: Sequence[str], sizes: Mapping[str, int], most: int = MOST_TASKS) -> list[list[str]]:
    """Split service requests so that huge ones hold up no small one: they have tasks of their own, which come last.

    Airflow starts the mapped tasks of a run in their order, so that small requests get the first free slots.

    Args:
        items: the numbers of the service requests.
        sizes: how many modules those have of which that is known; the others count as small.
        most: the most chunks there may be.
    """
    huge = sorted((item for item in items if sizes.get(item, 0) >= HUGE), key=lambda item: sizes[item])
    small = [item for item in items if sizes.get(item, 0) < HUGE]
    if not huge or not small or most < 2:
        return chunks([*small, *huge], most)
    own = min(len(huge), most // 2)
    return [*chunks(small, most - own), *chunks(huge, own)]


def title(items: Sequence[str]) -> str:
    """Name a chunk for the UI: its only item, or its first and last and how many there are."""
    return items[0] if len(items) == 1 else f"{items[0]} … {items[-1]} ({len(items)})" if items else "none"
