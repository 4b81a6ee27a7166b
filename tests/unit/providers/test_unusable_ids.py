"""A record whose id in the system can't be kept waits by itself, and the others of its batch go on."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from aiohttp import web

from pv_testing.core.errors import LedgerError
from pv_testing.core.records import Record, Result
from pv_testing.ledger import Claim, Ledger, Refusal, Settlement, State
from tests.unit.providers.plain_lims import PlainLims, contract, exchange, hangs_up

NUMBER = 20
IDS = {
    "too long": "".join(sha256(bytes([number])).hexdigest() for number in range(94))[:6_000],
    "with NUL": "LIM\0-1",
}


@pytest.fixture(params=["file", pytest.param("postgresql", marks=pytest.mark.postgres)])
def ledger(request, tmp_path) -> Iterator[Ledger]:
    file = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    with Ledger(file if request.param == "file" else request.getfixturevalue("schema")) as opened:
        yield opened


class LongIds(PlainLims):
    """Gives one sample an id that no database can keep under an index.

    Args:
        bad: that id.
        lost: whether the answer to that sample is lost.
    """

    def __init__(self, bad: str, *, lost: bool = False) -> None:
        super().__init__()
        self.create = self._answer
        self._bad, self._lost = bad, lost

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = self.add(await request.json())
        if body["external_id"] == "SN7":
            body["id"] = self._bad
            if self._lost:
                return hangs_up(request)
        return web.json_response(body, status=201)


def samples() -> list[Record]:
    known = {"sr_number": "P", "customer_name": "C"}
    return [Record(f"P/SN{number}", {**known, "serial_number": f"SN{number}"}) for number in range(NUMBER)]


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "looked up"])
@pytest.mark.parametrize("bad", IDS.values(), ids=IDS)
def test_one_id_that_cannot_be_kept_stops_no_other_record(tmp_path: Path, ledger: Ledger, bad: str, lost: bool) -> None:
    lims = LongIds(bad, lost=lost)
    for counted in ("created", "unchanged", "unchanged"):
        report = exchange(lims, contract(tmp_path), samples(), ledger=ledger)
        assert report.counts()[counted] == NUMBER - 1
        (outcome,) = report.not_in_effect()
        assert (outcome.key, outcome.result, outcome.code) == ("P/SN7", Result.QUARANTINED, "ID_UNUSABLE")
    assert "took effect" in outcome.reason
    assert len(lims.samples) == NUMBER, "nothing is sent twice"
    (waiting,) = ledger.waiting()
    assert (waiting.key, waiting.state, waiting.external_id) == ("P/SN7", State.QUARANTINED, "")
    assert ledger.verify().count == NUMBER
    assert ledger.release("lims", "sample", ["P/SN7"]) == 1
    exchange(lims, contract(tmp_path), samples(), ledger=ledger)
    assert len(lims.samples) == NUMBER, "it is looked up before anything is sent again"
    with pytest.raises(LedgerError, match="can't be kept"):
        ledger.confirm("lims", "sample", "P/SN7", bad, owner="ada")
    ledger.confirm("lims", "sample", "P/SN7", "LIM-7", owner="ada")
    assert exchange(lims, contract(tmp_path), samples(), ledger=ledger).counts()["unchanged"] == NUMBER


def test_a_settlement_of_one_s_own_with_such_an_id_waits(ledger: Ledger) -> None:
    claimed = ledger.claim("lims", "sample", [Claim("a", "1"), Claim("b", "1")], owner="o", lease=60)
    settlements = [Settlement(one, Result.CREATED, "x" * 6_000 if one.key == "a" else "LIM-b") for one in claimed]
    assert ledger.settle(settlements, owner="o") == []
    assert {entry.key: entry.state for entry in ledger.entries()} == {
        "a": State.QUARANTINED,
        "b": State.CONFIRMED,
    }


@pytest.mark.postgres
def test_what_the_database_refuses_is_said_in_its_words_and_not_as_its_silence(schema: str) -> None:
    with Ledger(schema) as ledger:
        kind = "".join(chr(0x4E00 + number) for number in range(3_000))
        with pytest.raises(LedgerError, match=r"refuses the request.*index row"):
            ledger.quarantine("lims", kind, [Refusal("k", "f", "X", "x")], owner="o")
