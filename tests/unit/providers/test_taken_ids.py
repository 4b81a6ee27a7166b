"""Shows that no id is taken for a record which the system has given to another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from pv_testing.core.records import Record, Result
from pv_testing.ledger import Ledger
from tests.unit.providers.plain_lims import PlainLims, contract, exchange, hangs_up


def record(name: str, customer: str = "C") -> Record:
    return Record(f"P/{name}", {"serial_number": name, "sr_number": "P", "customer_name": customer})


class Confused(PlainLims):
    """A LIMS that answers a creation with the id of the first record."""

    def __init__(self) -> None:
        super().__init__()
        self.create = self.answers_with_the_first_id

    async def answers_with_the_first_id(self, request: web.Request) -> web.Response:
        kept = self.add(await request.json())
        return web.json_response({**kept, "id": "S1"}, status=201)


def test_an_id_that_another_key_holds_is_looked_up(tmp_path: Path) -> None:
    lims, path = Confused(), contract(tmp_path)
    with Ledger.in_memory() as ledger:
        exchange(lims, path, record("A"), ledger=ledger)
        (outcome,) = exchange(lims, path, record("B"), ledger=ledger).outcomes
        assert (outcome.result, outcome.external_id, len(lims.samples)) == (Result.ADOPTED, "S2", 2)
        exchange(lims, path, record("B", "another customer"), ledger=ledger)
    assert [kept["customer"] for kept in lims.samples] == ["C", "another customer"]


def test_an_id_that_the_look_up_gives_to_two_keys_waits_for_a_person(tmp_path: Path) -> None:
    lims, path = Confused(), contract(tmp_path)

    async def search(request: web.Request) -> web.Response:
        found = lims.matching(await request.json())
        return web.json_response({"data": [{**one, "id": "S1"} for one in found]})

    lims.search = search
    with Ledger.in_memory() as ledger:
        exchange(lims, path, record("A"), ledger=ledger)
        (outcome,) = exchange(lims, path, record("B"), ledger=ledger).outcomes
        (entry,) = ledger.waiting()
        assert (outcome.result, outcome.code, outcome.external_id) == (Result.QUARANTINED, "ID_TAKEN", "")
        assert (entry.key, entry.code, "P/A" in entry.reason) == ("P/B", "ID_TAKEN", True)
    assert len(lims.samples) == 2


def test_the_record_that_was_answered_first_keeps_an_id_that_a_look_up_gives_to_another_one(tmp_path: Path) -> None:
    lims, path = PlainLims(), contract(tmp_path, concurrency=1)

    async def breaks_off_at_the_second(request: web.Request) -> web.StreamResponse:
        kept = lims.add(await request.json())
        return hangs_up(request) if len(lims.samples) == 2 else web.json_response(kept, status=201)

    async def gives_the_first_id(request: web.Request) -> web.Response:
        found = lims.matching(await request.json())
        return web.json_response({"data": [{**one, "id": "S1"} for one in found]})

    lims.create, lims.search = breaks_off_at_the_second, gives_the_first_id
    report = exchange(lims, path, [record("A"), record("B")])
    outcomes = {outcome.key: (outcome.result, outcome.external_id, outcome.code) for outcome in report.outcomes}
    assert outcomes == {"P/A": (Result.CREATED, "S1", ""), "P/B": (Result.QUARANTINED, "", "ID_TAKEN")}
    assert len(lims.samples) == 2


def test_one_id_for_two_records_of_a_batch_is_looked_up(tmp_path: Path) -> None:
    lims, path = Confused(), contract(tmp_path)
    report = exchange(lims, path, [record(name) for name in "ABCD"])
    assert report.external_ids() == {"P/A": "S1", "P/B": "S2", "P/C": "S3", "P/D": "S4"}
    assert len(lims.samples) == 4


def test_a_shared_id_does_no_harm_where_a_change_goes_by_key(tmp_path: Path) -> None:
    def amends(content: dict[str, Any]) -> None:
        operation = content["operations"]["create_sample"]
        del operation["update"]
        operation["on_change"] = "amend"

    report = exchange(Confused(), contract(tmp_path, amends), [record(name) for name in "AB"])
    assert report.counts()["created"] == 2
