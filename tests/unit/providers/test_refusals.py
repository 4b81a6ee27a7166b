"""Shows that a refusal which may have come after the effect is looked up before anything is sent again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pv_testing.core.records import Record, Result
from pv_testing.ledger import Ledger
from tests.unit.providers.plain_lims import PlainLims, contract, exchange, sample

REFUSALS: dict[str, tuple[int, dict[str, str]]] = {
    "unavailable": (503, {}),
    "too many": (429, {"Retry-After": "1"}),
    "too early": (425, {}),
    "a stranger": (401, {}),
    "no right": (403, {}),
    "moved": (307, {"Location": "/elsewhere"}),
    "moved for good": (301, {"Location": "/elsewhere"}),
}


def samples(number: int) -> list[Record]:
    return [
        Record(f"P/{place}", {"serial_number": str(place), "sr_number": "P", "customer_name": "C"})
        for place in range(number)
    ]


class Proxied(PlainLims):
    """A LIMS behind a proxy that refuses every fourth creation after it has taken effect."""

    def __init__(self, status: int, headers: dict[str, str], *, commits: bool = True) -> None:
        super().__init__()
        self.refusal, self.commits, self.posts = (status, headers), commits, 0
        self.create = self.behind_the_proxy

    async def behind_the_proxy(self, request: web.Request) -> web.StreamResponse:
        self.posts += 1
        status, headers = self.refusal
        refused = self.posts % 4 == 1
        if not refused or self.commits:
            kept = self.add(await request.json())
        return web.Response(status=status, headers=headers) if refused else web.json_response(kept, status=201)


@pytest.mark.parametrize("what", REFUSALS)
@pytest.mark.parametrize("authentication", ["api_key", "oauth2"])
def test_a_refusal_after_the_effect_makes_no_second_record(tmp_path: Path, what: str, authentication: str) -> None:
    lims = Proxied(*REFUSALS[what])
    path = contract(tmp_path, total_timeout=10)
    client: dict[str, Any] = {} if authentication == "api_key" else {"api_key": "", **OAUTH}
    with Ledger.in_memory() as ledger:
        for _ in range(8):
            report = exchange(lims, path, samples(12), ledger=ledger, **client)
            if not report.not_in_effect():
                break
        assert not report.not_in_effect()
    times = Counter(kept["external_id"] for kept in lims.samples)
    assert len(times) == 12
    assert {key: number for key, number in times.items() if number > 1} == {}


OAUTH = {"auth_type": "oauth2", "client_id": "lab", "client_secret": "secret-of-tests"}


@pytest.mark.parametrize("what", ["unavailable", "too many", "too early"])
def test_what_a_refusal_has_kept_from_its_effect_is_sent_again(tmp_path: Path, what: str) -> None:
    lims = Proxied(*REFUSALS[what], commits=False)
    report = exchange(lims, contract(tmp_path, total_timeout=10), samples(5))
    assert report.counts()["created"] == 5
    assert Counter(kept["external_id"] for kept in lims.samples) == Counter("01234")


@pytest.mark.parametrize(("what", "code"), [("no right", "HTTP_403"), ("a stranger", "AUTHENTICATION")])
def test_credentials_that_are_refused_stop_the_exchange_after_a_look_up(tmp_path: Path, what: str, code: str) -> None:
    lims = PlainLims()
    status, headers = REFUSALS[what]

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    lims.create = refuse
    with Ledger.in_memory() as ledger:
        report = exchange(lims, contract(tmp_path), samples(40), ledger=ledger)
        assert report.error is not None
        assert report.error.code == code
        assert not ledger.waiting()
    assert lims.seen.count("POST /samples") <= 8
    assert {outcome.code for outcome in report.outcomes} == {"NOT_SENT"}


@pytest.mark.parametrize("status", [429, 503])
def test_a_product_that_promises_is_believed(tmp_path: Path, status: int) -> None:
    def promises(content: dict[str, Any]) -> None:
        content["errors"]["not_processed"] = [status]

    lims = Proxied(status, {}, commits=False)
    report = exchange(lims, contract(tmp_path, promises, total_timeout=10), samples(5))
    assert report.counts()["created"] == 5
    assert "POST /samples/search" not in lims.seen


def test_a_rule_of_the_contract_is_the_products_own_word(tmp_path: Path) -> None:
    def promises(content: dict[str, Any]) -> None:
        content["errors"]["rules"] = [{"status": 503, "contains": "maintenance", "verdict": "retryable"}]

    lims = PlainLims()

    async def create(request: web.Request) -> web.Response:
        if lims.seen.count("POST /samples") == 1:
            return web.Response(status=503, text="maintenance")
        return web.json_response(lims.add(await request.json()), status=201)

    lims.create = create
    (outcome,) = exchange(lims, contract(tmp_path, promises, total_timeout=10), sample()).outcomes
    assert (outcome.result, lims.seen) == (Result.CREATED, ["POST /samples", "POST /samples"])


@pytest.mark.parametrize("promises", [False, True])
def test_without_a_look_up_a_refusal_is_a_persons_matter_unless_the_product_promises(
    tmp_path: Path, *, promises: bool
) -> None:
    def blind(content: dict[str, Any]) -> None:
        del content["operations"]["create_sample"]["find"]
        content["operations"]["create_sample"]["person"] = True
        content["errors"]["not_processed"] = [503] if promises else []

    lims = Proxied(503, {}, commits=not promises)
    report = exchange(lims, contract(tmp_path, blind, total_timeout=10, concurrency=1), samples(3))
    assert report.counts()["created"] == (3 if promises else 2)
    assert [outcome.code for outcome in report.not_in_effect()] == ([] if promises else ["NO_LOOKUP"])
    assert len(lims.samples) == 3


def test_a_refusal_of_a_single_record_within_a_bulk_answer_is_looked_up(tmp_path: Path) -> None:
    def in_bulk(content: dict[str, Any]) -> None:
        content["operations"]["create_sample"]["bulk"] = {
            "path": "/samples", "size": 10, "to": "samples", "items": "results", "status": "status", "id": "id",
            "ordered": True,
        }  # fmt: skip

    lims = PlainLims()

    async def create(request: web.Request) -> web.Response:
        body = await request.json()
        if "samples" not in body:
            return web.json_response(lims.add(body), status=201)
        kept = [lims.add(one) for one in body["samples"]]
        refused = lims.seen.count("POST /samples") == 1
        statuses = [503 if refused and place % 2 else 201 for place in range(len(kept))]
        results = [{**one, "status": status} for one, status in zip(kept, statuses, strict=True)]
        return web.json_response({"results": results}, status=207)

    lims.create = create
    report = exchange(lims, contract(tmp_path, in_bulk, total_timeout=10), samples(6))
    assert report.counts()["created"] + report.counts()["adopted"] == 6
    assert len(lims.samples) == 6
