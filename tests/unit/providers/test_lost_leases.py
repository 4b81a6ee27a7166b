"""Shows that an attempt which slept through its lease sends nothing more, and finds what it has sent twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import text

from pv_testing.core.records import Record, Result
from pv_testing.ledger import Claim, Ledger, Settlement, State
from pv_testing.ledger.store import Store
from tests.unit.providers.plain_lims import PlainLims, contract, exchange

pytestmark = pytest.mark.skipif(
    not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no clock that counts a suspension"
)


class Sleeper:
    """A machine that can be suspended: ``time.monotonic()`` doesn't see it, the other clocks do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slept = 0.0
        boot, wall = time.clock_gettime, time.time
        monkeypatch.setattr(time, "clock_gettime", lambda which: boot(which) + self.slept)
        monkeypatch.setattr(time, "time", lambda: wall() + self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


@pytest.fixture
def machine(monkeypatch):
    return Sleeper(monkeypatch)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.sqlite"
    return request.getfixturevalue("schema")


def samples(number: int) -> list[Record]:
    """Return records of one project."""
    return [
        Record(f"P/{place}", {"serial_number": str(place), "sr_number": "P", "customer_name": "C"})
        for place in range(number)
    ]


def another_attempt(url: str, path: Path, lims: PlainLims, number: int) -> Any:
    """Carry all records as the attempt that takes over, in a thread as it has a loop of its own."""

    async def carry() -> None:
        with Ledger(url) as ledger:
            create, lims.create = lims.create, None
            records = samples(number)
            report = await asyncio.to_thread(exchange, lims, path, records, ledger=ledger)
            assert {outcome.result.in_effect for outcome in report.outcomes} == {True}
            lims.create = create

    return carry()


def test_a_machine_that_was_suspended_sends_nothing_that_another_has_taken_over(machine, url, tmp_path):
    lims, path = PlainLims(), contract(tmp_path, concurrency=1, attempt_timeout=30, total_timeout=60)
    number = 60

    async def create(request: web.Request) -> web.Response:
        answer = web.json_response(lims.add(await request.json()), status=201)
        if len(lims.samples) == 10:
            machine.sleep(600)
            await asyncio.to_thread(_end_lease, url)  # PostgreSQL's clock is another machine's
            await another_attempt(url, path, lims, number)
        return answer

    lims.create = create
    with Ledger(url) as ledger:
        report = exchange(lims, path, samples(number), ledger=ledger)
        assert not ledger.waiting()
        ledger.verify()
    times = Counter(sample["external_id"] for sample in lims.samples)
    assert len(times) == number
    assert {key: n for key, n in times.items() if n > 1} == {}
    assert report.not_in_effect()


def test_what_another_attempt_holds_is_in_doubt_for_it_too_when_a_late_one_has_sent_it(url, tmp_path):
    """The process stands still between its look at the clock and the socket: no check can see that."""
    lims, path = PlainLims(), contract(tmp_path)
    held: list[Any] = []

    async def create(request: web.Request) -> web.Response:
        lims.create = None
        await asyncio.to_thread(_end_lease, url)
        held.extend(other.claim("lims", "sample", [Claim("P/0", _fingerprint(other))], owner="B", lease=60))
        return web.json_response(lims.add(await request.json()), status=201)

    lims.create = create
    with Ledger(url) as ledger, Ledger(url) as other:
        (outcome,) = exchange(lims, path, samples(1), ledger=ledger).outcomes
        assert (outcome.result, outcome.code) == (Result.DEFERRED, "LEASE_LOST")
        # The other one has looked before that request came, and sends; it finds out when it settles.
        lims.add({"external_id": "0", "project_id": "P", "customer": "C", "sample_type": "PV Module"})
        assert other.settle([Settlement(held[0], Result.CREATED, "S2", sent=True)], owner="B") == ["P/0"]
        assert [entry.state for entry in ledger.waiting()] == [State.UNKNOWN]
        (outcome,) = exchange(lims, path, samples(1), ledger=ledger).outcomes
        assert (outcome.result, outcome.code) == (Result.QUARANTINED, "DUPLICATE_IN_SYSTEM")


def _end_lease(url: str) -> None:
    store = Store(url)
    with store.exclusive() as connection:
        connection.execute(text("UPDATE ledger_record SET lease_until = 0"))
    store.close()


def twice(lims: PlainLims, url: str, number: int) -> Any:
    """Return a creation whose lease ends on its way, and that the attempt which takes over has sent and settled."""

    async def create(request: web.Request) -> web.Response:
        body = await request.json()
        if body["external_id"] == "0" and len(lims.samples) < number:
            lims.create = None
            _end_lease(url)
            with Ledger(url) as ledger:
                (claim,) = ledger.claim("lims", "sample", [Claim("P/0", _fingerprint(ledger))], owner="B", lease=60)
                ledger.settle([Settlement(claim, Result.CREATED, lims.add(body)["id"])], owner="B")
        return web.json_response(lims.add(body), status=201)

    return create


def _fingerprint(ledger: Ledger) -> str:
    (entry,) = ledger.entries("lims", "sample")
    return entry.fingerprint


def test_a_duplicate_of_what_another_attempt_has_settled_is_not_swallowed(url, tmp_path):
    lims, path = PlainLims(), contract(tmp_path)
    lims.create = twice(lims, url, 1)
    with Ledger(url) as ledger:
        (outcome,) = exchange(lims, path, samples(1), ledger=ledger).outcomes
        (entry,) = ledger.waiting()
        assert len(lims.samples) == 2
        assert (outcome.result, outcome.code) == (Result.QUARANTINED, "DUPLICATE_IN_SYSTEM")
        assert (entry.code, "holds 2 records" in entry.reason) == ("DUPLICATE_IN_SYSTEM", True)
        # A person removes one and releases the record: what is left is adopted, and nothing is sent.
        del lims.samples[1]
        ledger.release("lims", "sample", ["P/0"], owner="a person")
        (outcome,) = exchange(lims, path, samples(1), ledger=ledger).outcomes
        assert (outcome.result, outcome.external_id, len(lims.samples)) == (Result.ADOPTED, "S1", 1)
        assert not ledger.waiting()
        ledger.verify()


BLIND = {"id": "X1", "project_id": "P", "external_id": "X1", "customer": "C", "sample_type": "PV Module"}


ONE = {**BLIND, "id": "S1", "external_id": "0"}


@pytest.mark.parametrize(
    "answer",
    [(400, {"error": "no"}), (200, {"data": [BLIND]}), (200, {"data": [BLIND, ONE]})],
    ids=["refused", "other records", "one copy among other records"],
)
def test_a_look_up_for_second_copies_that_tells_nothing_leaves_the_record_waiting(url, tmp_path, answer):
    lims, path = PlainLims(), contract(tmp_path)
    lims.create = twice(lims, url, 1)

    async def tells_nothing(_: web.Request) -> web.Response:
        return web.json_response(answer[1], status=answer[0])

    lims.search = tells_nothing
    with Ledger(url) as ledger:
        (outcome,) = exchange(lims, path, samples(1), ledger=ledger).outcomes
        (entry,) = ledger.waiting()
        ledger.verify()
    assert (outcome.result, outcome.code) == (Result.QUARANTINED, "LOOKUP_REFUSED")
    assert "sent twice" in entry.reason


def test_a_look_up_for_second_copies_is_asked_again_when_its_answer_tells_nothing(url, tmp_path):
    lims, path, asked = PlainLims(), contract(tmp_path), []
    lims.create = twice(lims, url, 1)

    async def tells_nothing_at_first(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"data": [BLIND] if len(asked) < 3 else lims.matching(await request.json())})

    lims.search = tells_nothing_at_first
    with Ledger(url) as ledger:
        (outcome,) = exchange(lims, path, samples(1), ledger=ledger).outcomes
    assert (outcome.result, outcome.code) == (Result.QUARANTINED, "DUPLICATE_IN_SYSTEM")
