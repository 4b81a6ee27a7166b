"""Who gets which slots: never too close, by turns, the higher class first, and within the quotas of hour and day."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain

import pytest

from pv_testing.core.priority import Priority
from pv_testing.transports.governor import Ask, Grant, SharedLimit, lease
from pv_testing.transports.limits import Rate

HOUR, DAY = 3600.0, 86_400.0
NOW = 1_800_000_000.0
LIMIT = SharedLimit(Rate(25, 1.0))


@dataclass
class Requester:
    """A process that asks again so many seconds after its last slot, until ``ends``."""

    name: str
    priority: Priority = Priority.NORMAL
    waiting: int = 8
    begins: float = 0.0
    ends: float = 1e9
    again: float = -0.2
    asks_at: float = 0.0
    slots: list[float] = field(default_factory=list)


def simulate(requesters: list[Requester], seconds: float, limit: SharedLimit = LIMIT) -> dict[str, list[float]]:
    """Let requesters ask for some seconds in steps of 10 ms; return their slots, as seconds from the start."""
    state: dict = {}
    for step in range(int(seconds * 100)):
        now = step / 100
        for each in requesters:
            if each.begins <= now < each.ends and now >= each.asks_at:
                ask = Ask(each.name, each.priority, each.waiting, lead=0.02)
                state, grant = lease(state, NOW + now, ask, limit)
                each.slots += [slot - NOW for slot in grant.slots]
                each.asks_at = each.slots[-1] + each.again if grant.slots else now + grant.wait
    return {each.name: each.slots for each in requesters}


def within(slots: list[float], begin: float, end: float) -> int:
    return sum(begin <= slot < end for slot in slots)


def test_no_second_holds_more_slots_than_the_rate_and_hardly_fewer() -> None:
    slots = sorted(chain.from_iterable(simulate([Requester(str(number)) for number in range(16)], 20).values()))
    most = max(within(slots, slot, slot + 1.0) for slot in slots)
    assert most <= 25
    assert within(slots, 1, 19) / 18 >= 23.4


def test_requesters_take_turns_however_much_each_has_to_send() -> None:
    small, large = Requester("small", waiting=2), Requester("large", waiting=500)
    slots = simulate([small, large, Requester("other", waiting=500)], 30)
    shares = Counter({name: within(each, 2, 28) for name, each in slots.items()})
    assert shares["large"] == pytest.approx(shares["other"], rel=0.1)
    assert shares["small"] >= 2 * 26 / 2.5


def test_a_replay_goes_before_a_backfill_and_leaves_it_one_slot_of_ten() -> None:
    backfill = [Requester(f"b{number}", Priority.BACKFILL) for number in range(4)]
    slots = simulate([*backfill, Requester("replay", Priority.REPLAY, begins=10, ends=20)], 30)
    behind = sorted(chain.from_iterable(slots[each.name] for each in backfill))
    assert within(behind, 2, 9) / 7 >= 23
    assert min(slots["replay"]) <= 10 + 2.5
    assert within(slots["replay"], 13, 20) / 7 >= 20
    assert 1.5 <= within(behind, 13, 20) / 7 <= 3.5
    assert within(behind, 23, 29) / 6 >= 22


def test_a_backfill_gets_what_a_slow_replay_leaves() -> None:
    slots = simulate([Requester("replay", Priority.REPLAY, 1, again=0.3), Requester("b", Priority.BACKFILL)], 20)
    assert within(slots["b"], 2, 18) / 16 >= 10


def test_a_requester_that_is_killed_takes_its_slots_with_it_and_no_more() -> None:
    requesters = [Requester(str(number), ends=10 if number == 0 else 1e9) for number in range(16)]
    slots = simulate(requesters, 20)
    used = sorted(slot for name, each in slots.items() for slot in each if name != "0" or slot < 10)
    lost = [slot for slot in slots["0"] if slot >= 10]
    assert len(lost) <= 3
    assert within(used, 10, 15) >= 5 * 23.4 - len(lost)


@pytest.mark.parametrize("seconds", [HOUR, DAY])
def test_a_quota_holds_in_any_period_and_says_when_it_goes_on(seconds: float) -> None:
    limit = SharedLimit(None, (Rate(100, seconds),))
    state: dict = {}
    sent: list[float] = []
    now = NOW
    for _ in range(200):
        state, grant = lease(state, now, Ask("a", Priority.NORMAL, 50), limit)
        sent += grant.slots
        if not grant.slots:
            assert "100 requests in" in grant.why
            assert "it goes on at 20" in grant.why
        now += grant.wait or seconds / 70
    assert len(sent) > 200
    assert max(within(sent, slot, slot + seconds) for slot in sent) <= 100


def test_a_backfill_leaves_its_reserve_of_the_day_to_the_others() -> None:
    limit = SharedLimit(None, (Rate(1_000, DAY),), reserve=0.2)
    state: dict = {}
    taken = Counter[Priority]()
    for priority in (Priority.BACKFILL, Priority.NORMAL):
        while True:
            state, grant = lease(state, NOW, Ask(str(priority), priority, 20), limit)
            if not grant.slots:
                break
            taken[priority] += len(grant.slots)
    assert taken == {Priority.BACKFILL: 800, Priority.NORMAL: 200}


def test_what_the_system_says_remains_is_no_more_than_what_is_sent() -> None:
    state, grant = lease({}, NOW, Ask("a", Priority.NORMAL, 5, told=(3, NOW + 60)), LIMIT)
    assert len(grant.slots) == 3
    state, grant = lease(state, NOW + 1, Ask("b", Priority.NORMAL, 5), LIMIT)
    assert grant.slots == ()
    assert grant.wait == pytest.approx(59)
    assert len(lease(state, NOW + 61, Ask("b", Priority.NORMAL, 5), LIMIT)[1].slots) == 5


def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    state, _ = lease({}, NOW, Ask("a", Priority.NORMAL, 5), LIMIT)
    _, grant = lease(state, NOW - 3600, Ask("b", Priority.NORMAL, 5), LIMIT)
    assert NOW - 3600 <= grant.slots[0] <= NOW - 3600 + 0.5


def test_no_slot_is_given_that_comes_too_late_to_be_of_use() -> None:
    state, _ = lease({}, NOW, Ask("a", Priority.NORMAL, 40), LIMIT)
    refused, grant = lease(state, NOW, Ask("b", Priority.NORMAL, 5, horizon=0.5), LIMIT)
    assert grant == Grant((), pytest.approx(40 * LIMIT.interval), grant.why)
    assert refused["next"] == state["next"]


def test_no_slot_is_given_after_the_horizon_however_far_apart_the_slots_are() -> None:
    limit = SharedLimit(Rate(1, HOUR))
    state, _ = lease({}, NOW, Ask("a", Priority.NORMAL, 1), limit)
    refused, grant = lease(state, NOW + 600, Ask("b", Priority.NORMAL, 1, horizon=60), limit)
    assert grant.slots == ()
    assert grant.wait == pytest.approx(HOUR - 600, rel=0.05)
    assert refused["next"] == state["next"]


@pytest.mark.parametrize("reserve", [0.0, 0.9, 0.99])
def test_a_backfill_keeps_a_quota_whatever_its_reserve_and_has_at_least_one_request_of_it(reserve: float) -> None:
    limit = SharedLimit(None, (Rate(10, DAY),), reserve=reserve)
    state: dict = {}
    taken = 0
    for _ in range(30):
        state, grant = lease(state, NOW, Ask("b", Priority.BACKFILL, 1), limit)
        taken += len(grant.slots)
    assert taken == max(1, round(10 * (1 - reserve)))


def test_a_clock_that_is_set_back_by_a_month_closes_no_quota_for_it() -> None:
    limit = SharedLimit(None, (Rate(10, DAY),))
    state, _ = lease({}, NOW, Ask("a", Priority.NORMAL, 10, told=(0, NOW + 60)), limit)
    state, _ = lease({**state, "told": None}, NOW, Ask("a", Priority.NORMAL, 10), limit)
    now = NOW - 30 * DAY
    state, grant = lease(state, now, Ask("b", Priority.NORMAL, 1), limit)
    assert 0 < grant.wait <= DAY * 61 / 60
    assert lease(state, now + grant.wait, Ask("b", Priority.NORMAL, 1), limit)[1].slots


def test_what_the_system_said_holds_no_longer_when_the_clock_is_set_back() -> None:
    state, _ = lease({}, NOW, Ask("a", Priority.NORMAL, 1, told=(0, NOW + 60)), LIMIT)
    _, grant = lease(state, NOW - 30 * DAY, Ask("b", Priority.NORMAL, 1), LIMIT)
    assert grant.wait == pytest.approx(60)


def test_a_process_that_was_told_of_no_quota_forgets_none_of_the_others() -> None:
    limit = SharedLimit(None, (Rate(5, DAY),))
    state, _ = lease({}, NOW, Ask("a", Priority.NORMAL, 5), limit)
    state, _ = lease(state, NOW + 1, Ask("old", Priority.NORMAL, 1), LIMIT)
    assert lease(state, NOW + 2, Ask("a", Priority.NORMAL, 1), limit)[1].slots == ()
    state, _ = lease(state, NOW + 2 * DAY, Ask("old", Priority.NORMAL, 1), LIMIT)
    assert not any(state["counts"].values())
