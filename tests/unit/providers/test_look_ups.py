"""Shows that only a list without the record says that it isn't there, whatever else a look-up is answered with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pv_testing.core.errors import ConfigError
from pv_testing.core.records import Record, Result
from pv_testing.ledger import Ledger
from tests.unit.providers.plain_lims import PlainLims, contract, exchange, hangs_up, sample

NO_LISTS: dict[str, web.Response | tuple[int, str]] = {
    "no body": (204, ""),
    "an empty object": (200, "{}"),
    "null in the list's place": (200, '{"data": null}'),
    "a list where none should be": (200, '[{"id": "S1"}]'),
    "an error": (200, '{"error": {"code": "BUSY"}}'),
    "text in the list's place": (200, '{"data": "timeout"}'),
    "a job instead of the answer": (202, '{"job": "17"}'),
    "text in the list": (200, '{"data": ["S1"]}'),
    "a record without key": (200, '{"data": [{"id": "S1"}]}'),
    "a record whose key is empty": (200, '{"data": [{"id": "S1", "project_id": "P", "external_id": null}]}'),
}


def answering(status: int, body: str) -> Any:
    async def search(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body or None, content_type="application/json")

    return search


@pytest.mark.parametrize("what", NO_LISTS)
def test_what_holds_no_list_does_not_say_that_the_record_is_absent(tmp_path: Path, what: str) -> None:
    lims = PlainLims()
    lims.create, lims.search = lims.loses_the_first_answer, answering(*NO_LISTS[what])
    (outcome,) = exchange(lims, contract(tmp_path), sample()).outcomes
    assert (outcome.result, outcome.code, len(lims.samples)) == (Result.DEFERRED, "AMBIGUOUS", 1)


def test_a_list_without_the_record_says_so_and_it_is_sent_again(tmp_path: Path) -> None:
    lims = PlainLims()
    lims.create, lims.search = lims.loses_the_first_answer, answering(200, '{"data": []}')
    (outcome,) = exchange(lims, contract(tmp_path), sample()).outcomes
    assert (outcome.result, len(lims.samples)) == (Result.CREATED, 2)


def busy(content: dict[str, Any]) -> None:
    rule = {"status": 200, "at": "state", "equals": "BUSY", "verdict": "retryable"}
    content["errors"]["rules"] = [rule]


def paged(content: dict[str, Any]) -> None:
    busy(content)
    content["operations"]["create_sample"]["find"] = {
        "path": "/samples", "query": {"external_id": "external_id"}, "list": "data", "paged": True,
        "key": "{project_id}/{external_id}", "in_effect": {"customer": "customer"},
    }  # fmt: skip


@pytest.mark.parametrize("change", [busy, paged])
def test_the_rules_of_the_contract_apply_to_look_ups_as_well(tmp_path: Path, change: Any) -> None:
    lims = PlainLims()

    async def search(_: web.Request) -> web.Response:
        asked = len(lims.seen) - lims.seen.count("POST /samples")
        return web.json_response({"state": "BUSY", "data": []} if asked < 3 else {"data": lims.samples, "total": 1})

    lims.create, lims.search = lims.loses_the_first_answer, search
    (outcome,) = exchange(lims, contract(tmp_path, change, total_timeout=10), sample()).outcomes
    assert (outcome.result, outcome.external_id, len(lims.samples)) == (Result.ADOPTED, "S1", 1)


def test_a_rule_about_the_answer_to_an_operation_is_none_about_its_look_up(tmp_path: Path) -> None:
    rule = {"status": 200, "operations": ["create_sample"], "at": "id", "exists": False, "verdict": "ambiguous"}
    lims = PlainLims()
    lims.create = lims.loses_the_first_answer
    path = contract(tmp_path, lambda content: content["errors"].update(rules=[rule]))
    (outcome,) = exchange(lims, path, sample()).outcomes
    assert (outcome.result, len(lims.samples)) == (Result.ADOPTED, 1)


def test_among_everything_that_is_there_a_record_with_an_empty_key_is_somebody_elses(tmp_path: Path) -> None:
    def everything(content: dict[str, Any]) -> None:
        find = {"path": "/samples", "list": "data", "key": "{project_id}/{external_id}", "broad": True}
        content["operations"]["create_sample"]["find"] = find

    lims = PlainLims()
    lims.create = lims.loses_the_first_answer
    lims.search = answering(200, '{"data": [{"id": "X", "project_id": "P", "external_id": null}]}')
    (outcome,) = exchange(lims, contract(tmp_path, everything), sample()).outcomes
    assert (outcome.result, len(lims.samples)) == (Result.CREATED, 2)
    lims = PlainLims()
    lims.create, lims.search = lims.loses_the_first_answer, answering(200, '{"data": [{"id": "X"}]}')
    (outcome,) = exchange(lims, contract(tmp_path, everything), sample()).outcomes
    assert (outcome.result, len(lims.samples)) == (Result.DEFERRED, 1)


@pytest.mark.parametrize("change", [lambda _: None, paged])
def test_a_look_up_that_finds_everything_is_no_answer(tmp_path: Path, change: Any) -> None:
    def others(first: int) -> list[dict[str, Any]]:
        return [{"id": f"X{n}", "project_id": "P", "external_id": f"X{n}"} for n in range(first, first + 400)]

    async def search(request: web.Request) -> web.Response:
        found = others(400 * int(request.query["page"])) if request.method == "GET" else others(0) * 5
        return web.json_response({"data": found, "pages": 10**9})

    lims = PlainLims()
    lims.create, lims.search = lims.loses_the_first_answer, search
    (outcome,) = exchange(lims, contract(tmp_path, change), sample()).outcomes
    assert (outcome.result, len(lims.samples)) == (Result.DEFERRED, 1)
    assert "more than 1,020 records" in outcome.reason
    assert len(lims.seen) < 6


def one_by_one(content: dict[str, Any]) -> None:
    """Look a sample up by a query, as a GET that a cache may answer."""
    content["operations"]["create_sample"]["find"] = {
        "path": "/samples", "query": {"external_id": "external_id", "project_id": "project_id"}, "list": "data",
        "key": "{project_id}/{external_id}", "in_effect": {"customer": "customer"},
    }  # fmt: skip


OTHERS = [{"id": f"X{n}", "project_id": "P", "external_id": f"X{n}", "customer": "C"} for n in range(3)]


@pytest.mark.parametrize("change", [lambda _: None, one_by_one], ids=["search", "query"])
def test_a_look_up_that_finds_only_other_records_says_nothing(tmp_path: Path, change: Any) -> None:
    lims = PlainLims()

    async def ignores_the_filter(_: web.Request) -> web.Response:
        return web.json_response({"data": OTHERS})

    lims.create, lims.search = lims.loses_the_first_answer, ignores_the_filter
    with Ledger.in_memory() as ledger:
        (outcome,) = exchange(lims, contract(tmp_path, change), sample(), ledger=ledger).outcomes
        assert (outcome.result, outcome.code, len(lims.samples)) == (Result.DEFERRED, "FILTER_IGNORED", 1)
        assert "X0" in outcome.reason
        (entry,) = ledger.waiting()
        assert (entry.state.value, entry.code) == ("unknown", "FILTER_IGNORED")
        lims.search = None if change is not one_by_one else answering(200, json.dumps({"data": lims.samples}))
        (outcome,) = exchange(lims, contract(tmp_path, change), sample(), ledger=ledger).outcomes
        assert (outcome.result, len(lims.samples)) == (Result.ADOPTED, 1)


def test_one_record_that_a_look_up_tells_nothing_of_holds_up_no_other(tmp_path: Path) -> None:
    lims = PlainLims()

    async def writes_one_key_otherwise(request: web.Request) -> web.Response:
        found = lims.matching(await request.json())
        return web.json_response(
            {"data": [{**one, "external_id": one["external_id"].replace("b", "B")} for one in found]}
        )

    async def loses_every_answer(request: web.Request) -> web.StreamResponse:
        lims.add(await request.json())
        return hangs_up(request)

    lims.create, lims.search = loses_every_answer, writes_one_key_otherwise
    records = [
        Record(f"P/{name}", {"serial_number": name, "sr_number": "P", "customer_name": "C"}) for name in ("a", "b", "c")
    ]
    report = exchange(lims, contract(tmp_path, concurrency=1), records)
    assert {outcome.key: outcome.code for outcome in report.outcomes} == {"P/a": "", "P/b": "FILTER_IGNORED", "P/c": ""}
    assert len(lims.samples) == 3


def test_a_look_up_that_the_contract_calls_broad_may_find_others(tmp_path: Path) -> None:
    def broad(content: dict[str, Any]) -> None:
        one_by_one(content)
        content["operations"]["create_sample"]["find"]["broad"] = True

    lims = PlainLims()
    lims.create, lims.search = lims.loses_the_first_answer, answering(200, json.dumps({"data": OTHERS}))
    (outcome,) = exchange(lims, contract(tmp_path, broad), sample()).outcomes
    assert (outcome.result, len(lims.samples)) == (Result.CREATED, 2)


class Cached(PlainLims):
    """A LIMS behind a cache that answers the same address with the same answer, unless it is told not to."""

    def __init__(self, *, obeys: bool) -> None:
        super().__init__()
        self.obeys, self.kept = obeys, dict[str, list[dict[str, Any]]]()
        self.create, self.search = self.loses_the_first_answer, self.from_the_cache

    async def from_the_cache(self, request: web.Request) -> web.Response:
        fresh = self.obeys and "no-cache" in request.headers.get("Cache-Control", "")
        if fresh or request.path_qs not in self.kept:
            self.kept[request.path_qs] = [s for s in self.samples if s["external_id"] == request.query["external_id"]]
        return web.json_response({"data": self.kept[request.path_qs]})


def unique(content: dict[str, Any]) -> None:
    one_by_one(content)
    content["operations"]["create_sample"]["find"]["unique"] = "_"


@pytest.mark.parametrize(("obeys", "change"), [(True, one_by_one), (False, unique)], ids=["told", "unique"])
def test_a_cache_before_the_system_does_not_say_that_a_record_is_absent(
    tmp_path: Path, *, obeys: bool, change: Any
) -> None:
    lims = Cached(obeys=obeys)
    lims.kept["/samples?external_id=A&project_id=P"] = []  # somebody has looked before
    (outcome,) = exchange(lims, contract(tmp_path, change), sample()).outcomes
    assert (outcome.result, len(lims.samples)) == (Result.ADOPTED, 1)


def test_a_replay_finds_a_second_copy_of_what_is_in_effect(tmp_path: Path) -> None:
    lims, path = PlainLims(), contract(tmp_path)
    with Ledger.in_memory() as ledger:
        exchange(lims, path, sample(), ledger=ledger)
        lims.add(dict(lims.samples[0]))  # somebody enters it by hand
        (outcome,) = exchange(lims, path, sample(), ledger=ledger).outcomes
        assert outcome.result is Result.UNCHANGED
        (outcome,) = exchange(lims, path, sample(), ledger=ledger, replay=True).outcomes
        assert (outcome.result, outcome.code) == (Result.QUARANTINED, "DUPLICATE_IN_SYSTEM")
        (outcome,) = exchange(lims, path, sample(), ledger=ledger).outcomes
        assert (outcome.result, outcome.code) == (Result.QUARANTINED, "DUPLICATE_IN_SYSTEM")
        del lims.samples[0]
        ledger.release("lims", "sample", ["P/A"], owner="a person")
        (outcome,) = exchange(lims, path, sample(), ledger=ledger).outcomes
        assert (outcome.result, outcome.external_id, len(lims.samples)) == (Result.ADOPTED, "S2", 1)


def test_what_was_sent_again_too_early_is_found_twice_at_the_end(tmp_path: Path) -> None:
    lims, hidden = PlainLims(), 3

    async def lags(request: web.Request) -> web.Response:
        nonlocal hidden
        hidden -= 1
        return web.json_response({"data": [] if hidden > 0 else lims.matching(await request.json())})

    lims.create, lims.search = lims.loses_the_first_answer, lags
    with Ledger.in_memory() as ledger:
        (outcome,) = exchange(lims, contract(tmp_path), sample(), ledger=ledger).outcomes
        assert (len(lims.samples), outcome.result, outcome.code) == (2, Result.QUARANTINED, "DUPLICATE_IN_SYSTEM")
        assert [entry.code for entry in ledger.waiting()] == ["DUPLICATE_IN_SYSTEM"]


def test_a_second_record_under_a_key_waits_whatever_its_content_is(tmp_path: Path) -> None:
    lims = PlainLims()
    lims.create = lims.loses_the_first_answer
    lims.add({"external_id": "A", "project_id": "P", "customer": "another one", "sample_type": "PV Module"})

    async def loses_the_answer(request: web.Request) -> web.StreamResponse:
        lims.add(await request.json())
        return hangs_up(request)

    lims.create = loses_the_answer
    (outcome,) = exchange(lims, contract(tmp_path), sample()).outcomes
    assert (outcome.result, outcome.code) == (Result.QUARANTINED, "DUPLICATE_IN_SYSTEM")


def by_query(text: Any) -> Any:
    """Return what makes a contract look samples up by a text in the system's own query language."""

    def change(content: dict[str, Any]) -> None:
        one_by_one(content)
        content["operations"]["create_sample"]["find"]["query"] = {"query": text}

    return change


class Asked(PlainLims):
    """A LIMS that is asked in a language of its own, such as ``u_extid='A'``."""

    def __init__(self) -> None:
        super().__init__()
        self.create, self.search = self.loses_the_first_answer, self.answered

    async def answered(self, request: web.Request) -> web.Response:
        asked = [f"u_extid='{one['external_id']}'" for one in self.samples]
        found = [one for one, text in zip(self.samples, asked, strict=True) if text == request.query["query"]]
        return web.json_response({"data": found})


def test_a_look_up_by_a_text_that_is_the_same_for_all_would_make_the_record_twice(tmp_path: Path) -> None:
    lims = Asked()
    with pytest.raises(ConfigError, match="is sent as it is, because a const is not filled"):
        exchange(lims, contract(tmp_path, by_query({"const": "u_extid='{external_id}'"})), sample())
    assert lims.samples == []
    (outcome,) = exchange(lims, contract(tmp_path, by_query("u_extid='{external_id|sql}'")), sample()).outcomes
    assert (outcome.result, len(lims.samples)) == (Result.ADOPTED, 1)
