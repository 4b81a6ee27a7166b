"""Who gets which time slots of a system: one pure function, which each store calls in a transaction of its own.

The slots of a system lie at even distances, and a lease takes the next free ones, a few at a time. No requester asks
for more before the last of its slots is near. So requesters with much to send take turns, the line stays short, and a
process that is killed takes with it what it has leased and no more. Lower classes of work get the slots that the higher
ones leave, and one of ten besides, so that none of them starves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, NamedTuple

from pv_testing.core.priority import Priority
from pv_testing.transports.governor import windows
from pv_testing.transports.governor.shared_limit import SharedLimit

State = dict[str, Any]
"""JSON: ``at``, ``next``, ``lower`` (epoch seconds), ``active`` (requesters), ``counts`` (of quotas), ``told``."""

PERIOD = 2.0
"""Seconds of slots that all requesters together may lease ahead."""
GRACE = 1.0
"""Seconds after its last slot for which a requester still counts."""
UNPACED = 20
"""How many requests a lease is for, where they need no distance."""
FLOOR = 10
"""One of so many slots is for lower classes, however much the higher ones send."""
BRIEF = 0.15
"""Seconds by which a lower class may make a higher one wait."""
SAME_WINDOW = 2.0
"""Seconds by which the ends differ that a system says of one window in two answers."""
SET_BACK = 1.0
"""Seconds by which a store's clock must go back before that counts."""


class Ask(NamedTuple):
    """What a process wants.

    Attributes:
        requester: who asks.
        priority: of its first request.
        waiting: how many requests wait for a slot.
        soon: how many more will wait before it can ask again.
        hoped: how many it expects in the next second; it gets slots for these only where it is alone.
        lead: seconds until a slot can be used, because the store needs time to answer.
        horizon: seconds after which no slot is of use.
        told: what the system has said remains, and the epoch seconds until when.
    """

    requester: str
    priority: Priority
    waiting: int
    soon: int = 0
    hoped: int = 0
    lead: float = 0.0
    horizon: float = 86_400.0
    told: tuple[int, float] | None = None


class Grant(NamedTuple):
    """What it gets.

    Attributes:
        slots: epoch seconds, each for one request.
        wait: where there is no slot, the seconds after which to ask again.
        why: why there is none.
    """

    slots: tuple[float, ...] = ()
    wait: float = 0.0
    why: str = ""


def lease(state: State, now: float, ask: Ask, limit: SharedLimit) -> tuple[State, Grant]:
    """Give a process its slots.

    Args:
        state: of the system; empty at first.
        now: epoch seconds on the store's clock.
        ask: what it wants.
        limit: what the system takes.

    Returns:
        The new state, and the grant.
    """
    table = _Timetable.of(state, now, limit)
    if ask.told is not None:
        table.hear(*ask.told)
    grant = table.grant(ask) if ask.waiting else Grant()
    return table.state(), grant


@dataclass
class _Timetable:
    """The state of a system, while a lease changes it."""

    limit: SharedLimit
    now: float
    next: float
    lower: float
    active: dict[str, tuple[int, float]]
    counts: dict[str, windows.Counts]
    told: tuple[int, float] | None

    @classmethod
    def of(cls, state: State, now: float, limit: SharedLimit) -> _Timetable:
        back = max(0.0, state.get("at", now) - now)
        back = back if back > SET_BACK else 0.0
        active = {name: (kind, until - back) for name, (kind, until) in state.get("active", {}).items()}
        quotas = {f"{quota.seconds:g}": {} for quota in limit.quotas} | state.get("counts", {})
        told = (state["told"][0], state["told"][1] - back) if state.get("told") else None
        return cls(
            limit,
            now,
            state.get("next", 0.0) - back,
            state.get("lower", 0.0) - back,
            {name: each for name, each in active.items() if each[1] + GRACE > now},
            {seconds: windows.prune(kept, float(seconds), now, back) for seconds, kept in quotas.items()},
            told if told and told[1] > now else None,
        )

    def state(self) -> State:
        return {
            "at": self.now,
            "next": self.next,
            "lower": self.lower,
            "active": self.active,
            "counts": self.counts,
            "told": self.told,
        }

    def hear(self, left: int, until: float) -> None:
        """Note how many requests the system says remain; those that are leased and not sent yet are taken off."""
        interval = self.limit.interval
        under_way = math.ceil(max(0.0, self.next - self.now) / interval) if interval else 0
        remains = max(0, left - under_way)
        if self.told is not None and abs(self.told[1] - until) < SAME_WINDOW:
            remains = min(remains, self.told[0])
        self.told = (remains, until)

    def grant(self, ask: Ask) -> Grant:
        self.active.pop(ask.requester, None)
        number, refused = self._share(ask)
        if refused is None:
            number, refused = self._within_quotas(number, ask)
        first, interval = max(self.next, self.now + ask.lead), self.limit.interval
        in_time = number if not interval else math.floor((self.now + ask.horizon - first) / interval) + 1
        if refused is None and in_time < 1:
            refused = Grant((), first - self.now, "other tasks are in line for the system before")
        if refused is not None:
            self.active[ask.requester] = (ask.priority, self.now + min(refused.wait, GRACE))
            return refused
        slots = tuple(first + interval * place for place in range(min(number, in_time)))
        self._take(slots, ask)
        return Grant(slots)

    def _share(self, ask: Ask) -> tuple[int, Grant | None]:
        """Return how many slots the requester may have at a time, or that it must wait for higher classes."""
        interval = self.limit.interval
        if not interval:
            return min(UNPACED, ask.waiting), None
        priorities = [priority for priority, _ in self.active.values()]
        if any(priority < ask.priority for priority in priorities):
            return self._behind(ask, interval)
        equals = 1 + sum(priority == ask.priority for priority in priorities)
        block = max(1, int(PERIOD / interval / equals))
        wanted = ask.waiting + (ask.soon if priorities else max(ask.soon, ask.hoped))
        return min(block, wanted), None

    def _behind(self, ask: Ask, interval: float) -> tuple[int, Grant | None]:
        idle = self.next - self.now <= ask.lead + interval
        if idle or self.lower <= self.now:
            few = max(1, int(BRIEF / interval)) if idle else 1
            return min(few, ask.waiting), None
        wait = max(BRIEF, len(self.active) / 20, interval)
        return 0, Grant((), wait, "work of a higher priority is in line for the system before")

    def _within_quotas(self, number: int, ask: Ask) -> tuple[int, Grant | None]:
        for quota in self.limit.quotas:
            counts = self.counts[f"{quota.seconds:g}"]
            allowed = self.limit.allowed(quota, ask.priority)
            until = windows.free_at(counts, quota, allowed)
            if until:
                return 0, self._used_up(f"{allowed:,} requests in {quota.seconds / 3600:g} h are used up", until)
            number = min(number, max(1, allowed - sum(counts.values())))
        if self.told is not None:
            left, until = self.told
            if left < 1:
                return 0, self._used_up("the system says that its limit is used up", until)
            number = min(number, left)
        return number, None

    def _used_up(self, what: str, until: float) -> Grant:
        moment = datetime.fromtimestamp(math.ceil(until), timezone.utc)
        return Grant((), until - self.now, f"{what}; it goes on at {moment:%Y-%m-%dT%H:%M:%SZ}")

    def _take(self, slots: tuple[float, ...], ask: Ask) -> None:
        last = slots[-1]
        if any(priority < ask.priority for priority, _ in self.active.values()):
            since = max(self.lower, self.now - PERIOD)
            self.lower = since + FLOOR * self.limit.interval * len(slots)
        self.next = last + self.limit.interval
        self.active[ask.requester] = (ask.priority, last)
        for quota in self.limit.quotas:
            windows.add(self.counts[f"{quota.seconds:g}"], quota, len(slots), last)
        if self.told is not None:
            self.told = (self.told[0] - len(slots), self.told[1])
