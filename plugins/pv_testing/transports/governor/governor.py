"""Lets each request of a session pass in a time slot that the process has leased from the shared timetable."""

from __future__ import annotations

import asyncio
import copy
import heapq
import itertools
import logging
import math
import secrets
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pv_testing.core import clock, priority
from pv_testing.core.errors import IntegrationError, NetworkError, RateLimited
from pv_testing.transports.governor.shared_limit import SharedLimit
from pv_testing.transports.governor.slot_clock import SlotClock
from pv_testing.transports.governor.timetable import PERIOD, Ask, Grant, lease
from pv_testing.transports.governor.timetable_store import Leased, TimetableStore

REFILL = 0.2
"""Seconds before the last slot at which more are asked for."""
LONGEST_WAIT = 5.0
"""Seconds after which a process asks again at the latest, because a person may have lifted what held it back."""
GRACE = 5.0
"""Seconds that the system's last word has to be kept when the session is closed."""
PATIENCE = 1.0
"""Seconds after which a store without an answer is why a request gets no slot."""
HANGS = "the ledger or the Redis that keeps the shared limit has not answered"
CLOSED = "the session was closed; nothing was sent"

log = logging.getLogger(__name__)


class Slot(NamedTuple):
    """When a request may pass, by ``clock.seconds()``."""

    at: float
    until: float


class Governor:
    """Leases slots for the requests of one session, and lets each pass in its own.

    Args:
        store: the timetables of all systems.
        system: whose timetable.
        limit: what the system takes from all tasks and hosts together.
        paused_until: returns the epoch seconds until which the system wants to be left alone, whoever was told so.
        on_pause: called with these when they lie ahead.

    Attributes:
        requester: the name under which it leases.
        given_up: how many slots have passed unused, because this process was too busy.
    """

    def __init__(
        self,
        store: TimetableStore,
        system: str,
        limit: SharedLimit,
        *,
        paused_until: Callable[[], float] = lambda: 0.0,
        on_pause: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._system = system
        self._limit = limit
        self._paused_until = paused_until
        self.on_pause = on_pause
        self.given_up = 0
        self.requester = secrets.token_hex(6)
        self._numbers = itertools.count()
        self._line: list[tuple[int, int, float, asyncio.Future[Slot | None]]] = []
        self._held: deque[Slot] = deque()
        self._last = 0.0
        self._asked = math.inf
        self._passed: deque[float] = deque(maxlen=64)
        self._clock = SlotClock()
        self._refused = Grant()
        self._refused_until = 0.0
        self._refused_class = priority.Priority.REPLAY
        self._told: tuple[int, float] | None = None
        self._task: asyncio.Task[None] | None = None
        self._asleep: set[asyncio.Future[None]] = set()
        self._closed = False

    async def take(self, latest: float) -> float:
        """Wait for a slot of one request.

        Args:
            latest: ``clock.seconds()`` after which it makes no more sense to send it.

        Returns:
            ``clock.seconds()`` until which it may be sent, from now on; 0 where the system wants to be left alone.

        Raises:
            RateLimited: there is no slot before; the message says why, and when to go on.
            IntegrationError: the store can't be used.
        """
        while True:
            slot = self._take_held() or await self._next(latest)
            if slot is None:
                return 0.0
            await self._reach(slot, latest)
            if clock.seconds() <= slot.until:
                self._passed.append(clock.seconds())
                return slot.until
            self.given_up += 1

    def hear(self, left: int, until: float) -> None:
        """Note what the system has said of its own limit; the others learn it with the next lease.

        Args:
            left: how many requests it still takes.
            until: epoch seconds at which it begins to count anew.
        """
        self._told = (left, until)
        if left < 1:
            self._serve()

    async def aclose(self) -> None:
        """Lease nothing more, end the requests in line, and see kept what the system has said last."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._fail(NetworkError(CLOSED))
        for bell in self._asleep:
            if not bell.done():
                bell.set_exception(NetworkError(CLOSED))
        if self._told is not None:
            await self._tell_others()
        await asyncio.to_thread(self._store.close)

    async def _tell_others(self) -> None:
        try:
            await asyncio.wait_for(asyncio.to_thread(self._change, self._ask()), GRACE)
        except (IntegrationError, asyncio.TimeoutError) as error:
            log.warning("%s: what it said of its limit holds for this process only: %s", self._system, error)

    async def _reach(self, slot: Slot, latest: float) -> None:
        """Wait until a slot begins; one that this request can't use is the next one's."""
        if slot.at > latest:
            self._hand_out([slot])
            raise self._too_late(slot.at)
        ahead = slot.at - clock.seconds()
        if ahead > 0:
            try:
                await self._sleep(ahead)
            except asyncio.CancelledError:
                self._hand_out([slot])
                raise

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but not longer than the session is open."""
        loop = asyncio.get_running_loop()
        bell: asyncio.Future[None] = loop.create_future()
        alarm = loop.call_later(seconds, _ring, bell)
        self._asleep.add(bell)
        try:
            await bell
        finally:
            alarm.cancel()
            self._asleep.discard(bell)

    def _take_held(self) -> Slot | None:
        now = clock.seconds()
        while self._held and not self._line:
            slot = self._held.popleft()
            if slot.until >= now:
                return slot
        return None

    async def _next(self, latest: float) -> Slot | None:
        if self._closed:
            raise NetworkError(CLOSED)
        if self._refused_until > latest and priority.current() >= self._refused_class and not self._idle():
            raise self._too_late()
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Slot | None] = loop.create_future()
        heapq.heappush(self._line, (priority.current(), next(self._numbers), latest, turn))
        self._serve()
        alarm = loop.call_later(latest - clock.seconds(), self._give_up, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and (slot := turn.result()) is not None:
                self._hand_out([slot])
            raise
        finally:
            alarm.cancel()

    def _give_up(self, turn: asyncio.Future[Slot | None]) -> None:
        if not turn.done():
            turn.set_exception(self._too_late())

    def _too_late(self, at: float = 0.0) -> RateLimited:
        hangs = clock.seconds() - self._asked > PATIENCE
        why = HANGS if hangs else self._refused.why or "other requests are in line for the system before"
        wait = max(1.0, max(self._refused_until, at) - clock.seconds())
        return RateLimited(f"no request may be sent now, {why}; nothing was sent", retry_after=wait)

    def _serve(self) -> None:
        if not self._closed and self._idle():
            self._task = asyncio.get_running_loop().create_task(self._lease_while_needed())

    def _idle(self) -> bool:
        """Whether nothing asks for slots now; the store's last answer may be out of date then."""
        return self._task is None or self._task.done()

    async def _lease_while_needed(self) -> None:
        """Lease slots as long as requests wait for some, or the others must learn what the system has said."""
        try:
            while self._waiting() or (self._told is not None and self._told[0] < 1):
                await asyncio.sleep(max(0.0, self._last - max(REFILL, 2 * self._clock.lead) - clock.seconds()))
                await self._lease()
                ahead = self._refused_until - clock.seconds()
                if ahead > 0:
                    self._refuse_those_too_late()
                    await asyncio.sleep(min(ahead, LONGEST_WAIT))
        except Exception as error:  # noqa: BLE001 - those who wait for a slot raise it
            self._asked = math.inf
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """End the requests in line, each with an error of its own: it will name the record."""
        for *_, turn in self._line:
            if not turn.done():
                turn.set_exception(copy.copy(error) if isinstance(error, IntegrationError) else error)
        self._line.clear()

    def _waiting(self) -> int:
        self._line = [each for each in self._line if not each[-1].done()]
        heapq.heapify(self._line)
        return len(self._line)

    async def _lease(self) -> None:
        ask = self._ask()
        self._asked = asked = clock.seconds()
        paused, leased = await asyncio.to_thread(self._change, ask)
        self._asked = math.inf
        if self._told is ask.told:
            self._told = None
        self._clock.learn(leased, clock.seconds() - asked)
        self._refused, self._refused_class = leased.grant, ask.priority
        self._refused_until = clock.seconds() + leased.grant.wait if leased.grant.wait else 0.0
        if paused > leased.now:
            # By the store's clock: by one that is ahead, the pause would seem over, and be asked for again at once.
            self.on_pause(time.time() + paused - leased.now)
            self._hand_out([None] * len(self._line))
            return
        self._hand_out([self._slot(moment) for moment in leased.grant.slots])

    def _ask(self) -> Ask:
        now = clock.seconds()
        first = self._line[0][0] if self._waiting() else priority.Priority.BACKFILL
        waiting = sum(kind == first for kind, *_ in self._line)  # the lower classes ask when these have their slots
        recent = sum(moment > now - 1.0 for moment in self._passed)
        horizon = max((latest for _, _, latest, _ in self._line), default=now) - now
        return Ask(
            self.requester,
            priority.Priority(first),
            waiting,
            soon=int(recent * self._clock.lead),
            hoped=max(0, recent - waiting),
            lead=self._clock.lead,
            horizon=horizon,
            told=self._told,
        )

    def _change(self, ask: Ask) -> tuple[float, Leased]:
        paused = self._paused_until()
        return paused, self._store.change(self._system, partial(_leased, ask=ask, limit=self._limit, paused=paused))

    def _slot(self, moment: float) -> Slot:
        at = self._clock.local(moment)
        self._last = max(self._last, at)
        return Slot(at, at + (self._limit.tolerance if self._limit.interval else PERIOD))

    def _hand_out(self, slots: list[Slot] | list[None]) -> None:
        """Give slots to those in line, the first one first; keep those that are left over."""
        for slot in slots:
            while self._line:
                *_, turn = heapq.heappop(self._line)
                if not turn.done():
                    turn.set_result(slot)
                    break
            else:
                if slot is not None:
                    self._held.append(slot)

    def _refuse_those_too_late(self) -> None:
        for *_, latest, turn in self._line:
            if latest < self._refused_until:
                self._give_up(turn)


def _ring(bell: asyncio.Future[None]) -> None:
    if not bell.done():
        bell.set_result(None)


def _leased(
    state: dict[str, object], now: float, *, ask: Ask, limit: SharedLimit, paused: float
) -> tuple[dict[str, object], Grant]:
    """Lease slots, but none in a pause, in which nothing is sent."""
    return lease(state, now, ask if paused <= now else ask._replace(waiting=0), limit)
