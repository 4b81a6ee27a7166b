"""Shows that each answer of a bulk request is given to the record that it is about, whatever order they come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import sandbox
from pv_testing.core.records import Record, Result
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from tests.unit.providers.plain_lims import Body, PlainLims, contract, exchange

KEY = "{project_id}/{external_id}"
NUMBER = 6


def samples(number: int = NUMBER, **fields: Any) -> list[Record]:
    """Return records of one project."""
    return [
        Record(f"P/{place}", {"serial_number": str(place), "sr_number": "P", "customer_name": "C", **fields})
        for place in range(number)
    ]


def in_bulk(**bulk: Any) -> Callable[[Body], None]:
    """Give the contract a bulk request, with what a test says of its answers."""

    def change(content: Body) -> None:
        known = {"path": "/samples", "size": 10, "to": "samples", "items": "results", "status": "status"}
        content["operations"]["create_sample"]["bulk"] = {**known, **bulk}

    return change


def answering(lims: PlainLims, arrange: Callable[[list[Body]], Sequence[Any]]) -> Any:
    """Take samples one by one and in bulk, and let a test arrange the answers to the latter."""

    async def create(request: web.Request) -> web.Response:
        body = await request.json()
        if "samples" not in body:
            return web.json_response(lims.add(body), status=201)
        kept = [{**lims.add(each), "status": 201} for each in body["samples"]]
        return web.json_response({"results": arrange(kept)})

    return create


def without_keys(answers: list[Body]) -> list[Body]:
    return [{"id": each["id"], "status": each["status"]} for each in answers]


def ids(lims: PlainLims) -> dict[str, str]:
    return {f"P/{each['external_id']}": each["id"] for each in lims.samples}


@pytest.mark.parametrize(
    "arrange",
    [
        lambda answers: answers[::-1],
        lambda answers: answers[:-1],
        lambda answers: [*answers, answers[0]],
        lambda answers: [{**answers[0], "external_id": "another"}, *answers[1:]],
        lambda answers: [*answers[:2], None, 7, *answers[4:]],
        lambda answers: [*answers[1:], {"status": 201}],
        without_keys,
    ],
    ids=["shuffled", "one-less", "one-twice", "another-record", "no-objects", "one-without-key", "all-without-key"],
)
@pytest.mark.parametrize("ordered", [False, True])
def test_no_record_gets_the_id_of_another(tmp_path: Path, arrange: Any, *, ordered: bool) -> None:
    lims, ledger = PlainLims(), Ledger.in_memory()
    lims.create = answering(lims, arrange)
    report = exchange(lims, contract(tmp_path, in_bulk(key=KEY, ordered=ordered)), samples(), ledger=ledger)
    assert report.external_ids() == ids(lims) == {entry.key: entry.external_id for entry in ledger.entries()}
    assert len(lims.samples) == NUMBER


def test_answers_in_another_order_need_no_look_up(tmp_path: Path) -> None:
    lims = PlainLims()
    lims.create = answering(lims, lambda answers: answers[::-1])
    report = exchange(lims, contract(tmp_path, in_bulk(key=KEY)), samples())
    assert report.counts()["created"] == NUMBER
    assert lims.seen == ["POST /samples"]


def test_a_key_may_be_called_otherwise_in_the_answer_and_be_a_number_there(tmp_path: Path) -> None:
    lims = PlainLims()
    lims.create = answering(
        lims, lambda kept: [{"id": each["id"], "status": 201, "no": int(each["external_id"])} for each in kept[::-1]]
    )
    key = {"sent": "{external_id}", "found": "{no}"}
    report = exchange(lims, contract(tmp_path, in_bulk(key=key)), samples())
    assert (report.counts()["created"], report.external_ids()) == (NUMBER, ids(lims))


@pytest.mark.parametrize("ordered", [False, True])
def test_an_answer_without_key_counts_by_its_place_only_where_the_order_is_promised(
    tmp_path: Path, *, ordered: bool
) -> None:
    lims = PlainLims()
    lims.create = answering(lims, without_keys)
    report = exchange(lims, contract(tmp_path, in_bulk(key=KEY, ordered=ordered)), samples())
    assert report.counts()["created" if ordered else "adopted"] == NUMBER
    assert report.external_ids() == ids(lims)


def test_refusals_that_name_no_record_are_given_to_their_own_record_in_the_end(tmp_path: Path) -> None:
    lims = PlainLims()

    async def create(request: web.Request) -> web.Response:
        body = await request.json()
        answers = [
            {"status": 422, "error": {"code": "ODD"}}
            if int(each["external_id"]) % 2
            else {**lims.add(each), "status": 201}
            for each in body.get("samples", [body])
        ]
        if "samples" in body:
            return web.json_response({"results": sorted(answers, key=lambda each: each["status"], reverse=True)})
        return web.json_response(answers[0], status=answers[0]["status"])

    lims.create = create
    outcomes = exchange(lims, contract(tmp_path, in_bulk(key=KEY), total_timeout=10), samples()).outcomes
    assert {each.key: (each.result, each.code) for each in outcomes} == {
        f"P/{place}": (Result.REJECTED, "ODD") if place % 2 else (Result.CREATED, "") for place in range(NUMBER)
    }


def test_a_record_without_the_key_of_the_answers_goes_by_itself(tmp_path: Path) -> None:
    lims = PlainLims()
    lims.create = answering(lims, lambda answers: answers)
    report = exchange(lims, contract(tmp_path, in_bulk(key="{metadata.model}")), samples())
    assert report.counts()["created"] == NUMBER
    assert lims.seen == ["POST /samples"] * NUMBER


@pytest.mark.parametrize("operation", ["create_sample", "upload_results", "update_sample_status"])
def test_the_shipped_contract_matches_the_shuffled_answers_of_a_lims(tmp_path: Path, operation: str) -> None:
    with (
        sandbox.serve() as lab,
        Ledger(f"sqlite:///{tmp_path}/ledger.sqlite") as ledger,
        LIMSClient(lab.lims_url, api_key=lab.credentials.lims_api_key, ledger=ledger) as lims,
    ):
        lab.faults("lims", {"route": "POST /api/v2/*/bulk", "kind": "shuffle", "seed": 1})
        lims.exchange("create_sample", samples(40))
        held = {f"P/{each['external_id']}": each["id"] for each in lims.list("get_samples")}
        assert {entry.key: entry.external_id for entry in ledger.entries()} == held
        if operation != "create_sample":
            lab.receive()
            report = lims.exchange(operation, [_record(operation, key, id_) for key, id_ in held.items()])
            assert report.counts()["created"] + report.counts()["updated"] == 40
            name = "sample_id" if operation == "upload_results" else "id"
            assert {outcome.key: outcome.body[name] for outcome in report.outcomes} == held


def _record(operation: str, key: str, sample_id: str) -> Record:
    if operation == "update_sample_status":
        return Record(key, {"lims_sample_id": sample_id, "lims_status": "In Testing"})
    measured = {"parameter": "Pmax", "value": 400.0, "unit": "W", "qc_status": "PASS"}
    return Record(
        key,
        {
            "lims_sample_id": sample_id,
            "execution_id": key,
            "protocol_id": "PVTP-001",
            "protocol_name": "Power",
            "completed_at": "2026-01-02T03:04:05Z",
            "operator_name": "Ann",
            "measurements": [measured],
        },
    )
