"""Shows that an attempt which stood still while another one took its records over finds what it has sent twice."""

from __future__ import annotations

import asyncio
import time

import pytest

from pv_testing.core.records import Record, Result
from pv_testing.exchange.engine import Exchange
from pv_testing.exchange.operation import OperationLimits
from pv_testing.ledger import Ledger
from tests.unit.exchange.target import Target, records

LIMITS = OperationLimits(batch_size=1, concurrency=2, timeout=0.3, horizon=0.01)


def end_leases(ledger: Ledger) -> None:
    with ledger._store.exclusive() as connection:
        connection.exec_driver_sql("UPDATE ledger_record SET lease_until = 1")


class Frozen(Target):
    """Stands still right before its first request takes effect; meanwhile another attempt carries the record.

    The answer to that request takes its time, so that another worker prolongs the leases before it comes.
    """

    def __init__(self, url: str) -> None:
        super().__init__(LIMITS)
        self.url = url

    async def send(self, batch):
        first = not self.sent
        self.sent += [item.key for item in batch]
        if first:
            await asyncio.to_thread(self.others, batch)
            time.sleep(1.3)  # noqa: ASYNC251 - the whole process stands still
            await asyncio.sleep(0.3)
        else:
            await asyncio.sleep(0.05)
        return [self._take(item) for item in batch]

    def others(self, batch):
        other = Target(LIMITS)
        other.rows = self.rows
        with Ledger(self.url) as ledger:
            end_leases(ledger)
            wanted = [record for record in records(6) if record.key in {item.key for item in batch}]
            assert Exchange(other, ledger, owner="other").run(wanted).counts()["created"] == len(batch)


def test_a_request_on_its_way_while_leases_are_prolonged_is_looked_up_in_the_end(tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    with Ledger(url) as ledger:
        target = Frozen(url)
        report = Exchange(target, ledger, owner="late").run(records(6))
        ledger.verify()
        twice = {key.partition("#")[0] for key, number in target.times().items() if number > 1}
        assert twice == {records(1)[0].key}
        assert [(entry.key, entry.code) for entry in ledger.waiting()] == [(*twice, "DUPLICATE_IN_SYSTEM")]
    assert [(o.key, o.code) for o in report.not_in_effect()] == [(*twice, "DUPLICATE_IN_SYSTEM")]
    assert report.total() == 6


class Released(Target):
    """Stands still before its request; meanwhile a person releases the record as absent, and it is sent."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(LIMITS, can_find=False)
        self.ledger = ledger

    async def send(self, batch):
        await asyncio.to_thread(self.others, batch[0].key)
        return await super().send(batch)

    def others(self, key):
        other = Target(LIMITS, can_find=False)
        other.rows = self.rows
        end_leases(self.ledger)
        carry = Exchange(other, self.ledger, owner="other")
        assert carry.run(records(1)).outcomes[0].code == "NO_LOOKUP"
        self.ledger.release("lims", "sample", [key], owner="a person", absent=True)
        assert carry.run(records(1)).outcomes[0].result is Result.CREATED


def test_what_two_attempts_have_sent_waits_where_no_look_up_can_tell(tmp_path):
    with Ledger(f"sqlite:///{tmp_path}/ledger.sqlite") as ledger:
        target = Released(ledger)
        (outcome,) = Exchange(target, ledger, owner="late").run(records(1)).outcomes
        assert len(target.rows) == 2
        assert (outcome.result, outcome.code) == (Result.QUARANTINED, "LOOKUP_REFUSED")
        assert [entry.code for entry in ledger.waiting()] == ["LOOKUP_REFUSED"]
        ledger.verify()


@pytest.mark.parametrize("other_problem_first", [False, True])
def test_a_key_of_an_earlier_version_waits_for_a_person_whatever_else_is_wrong_with_it(other_problem_first):
    from dataclasses import replace

    from pv_testing.core.errors import MappingError
    from pv_testing.exchange.earlier_keys import with_earlier_keys

    target = Target(can_find=False)
    new = Record("SR-1%2F2/SN001", {"place": 1})
    wrong = replace(new, problem=MappingError("its serial number comes twice", code="SERIAL_DUPLICATE"))
    with Ledger.in_memory() as ledger:
        Exchange(target, ledger).run([Record("SR-1/2/SN001", {"place": 1})])  # an earlier version's key

        def carry(record: Record) -> str:
            checked = with_earlier_keys(ledger, "lims", "sample", [record])
            return Exchange(target, ledger).run(checked).outcomes[0].code

        codes = [carry(record) for record in ((wrong, new, new) if other_problem_first else (new, wrong, new))]
        assert codes[-1] == "KEY_OF_EARLIER_VERSION"
        assert len(target.rows) == 1
        ledger.release("lims", "sample", [new.key], owner="", automatic=True)
        assert carry(new) == "KEY_OF_EARLIER_VERSION"
        ledger.release("lims", "sample", [new.key], owner="a person", absent=True)
        assert carry(new) == ""
