"""Shows what the provider makes of SENAITE's odd answers, each as recorded on a running 2.6.0, on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pv_testing.config import system_config
from pv_testing.contracts.load import load_contract
from pv_testing.core.errors import (
    AmbiguousOutcome,
    AuthenticationError,
    Conflict,
    PermissionDenied,
    Rejected,
    ResponseError,
)
from pv_testing.core.records import Record, Result
from pv_testing.exchange.engine import Exchange
from pv_testing.exchange.report import Report
from pv_testing.ledger import Ledger
from pv_testing.providers.registry import open_provider
from pv_testing.providers.senaite import SenaiteProvider
from tests.shipped import impatient

KNOWN = {"username": "integration", "authenticated": True}
STRANGER = {"username": "Anonymous User", "authenticated": False}
SAMPLE = {
    "uid": "5b1c",
    "getId": "PVM-0001",
    "getClientSampleID": "SR-1/SN 1",
    "getClientReference": "SR-1",
    "review_state": "sample_due",
}
NO_TRANSITION = (
    "Failed to perform transition 'submit' on <Analysis at Pmax>: Invalid transition 'submit'.\nValid: reject"
)


class Stub:
    """Gives recorded answers and counts what was asked.

    Args:
        user: what ``/users/current`` says.
        found: what every search finds.
        status: of every write.
        body: of every write.

    Attributes:
        made: what searches find besides, once something was written.
    """

    def __init__(
        self, user: dict[str, Any] = KNOWN, found: tuple[dict[str, Any], ...] = (), status: int = 200, **body: Any
    ) -> None:
        self.user, self.found, self.status, self.body = user, found, status, body
        self.made: tuple[dict[str, Any], ...] = ()
        self.writes = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/users/current", self._user)
        app.router.add_get("/api/search", self._search)
        app.router.add_post("/api/{path:.*}", self._write)
        return app

    async def _user(self, _: web.Request) -> web.Response:
        return web.json_response({"count": 1, "items": [self.user]})

    async def _search(self, request: web.Request) -> web.Response:
        start = int(request.query.get("b_start", 0))
        by_key = "getClientSampleID" in request.query
        found = [item for item in self.found if not by_key or "getClientSampleID" in item]
        return web.json_response({"count": len(found), "items": found[start:]})

    async def _write(self, _: web.Request) -> web.Response:
        self.writes += 1
        self.found += self.made
        return web.json_response(self.body, status=self.status)


def ask(
    stub: Stub, question: Callable[[SenaiteProvider], Awaitable[Any]], contract: str | Path = "lims_senaite"
) -> Any:
    """Return what the provider answers, or raise what it raises."""

    async def asked() -> Any:
        async with TestServer(stub.app()) as server:
            address = {"provider": "SENAITE", "username": "integration", "password": "x", "auth_type": "basic"}
            config = system_config("lims", str(server.make_url("/api")), **address)
            with Ledger.in_memory() as ledger:
                provider = open_provider(config, load_contract(str(contract)), ledger)
                assert isinstance(provider, SenaiteProvider)
                try:
                    return await question(provider)
                finally:
                    await provider.aclose()

    return asyncio.run(asked())


def submit(provider: SenaiteProvider) -> Awaitable[dict[str, Any]]:
    return provider.write("submit_result", "5678", uid="a1", Result="1", transition="submit")


async def listed(provider: SenaiteProvider, **criteria: str) -> list[dict[str, Any]]:
    return [sample async for sample in provider.listing("get_samples", **criteria)]


def test_an_empty_listing_is_not_believed_when_senaite_does_not_know_who_asks():
    with pytest.raises(AuthenticationError, match="stranger"):
        ask(Stub(STRANGER), lambda provider: listed(provider, status="sample_due"))
    assert ask(Stub(), lambda provider: listed(provider, status="sample_due")) == []


def test_a_sample_that_the_catalogue_lists_twice_is_one():
    (sample,) = ask(Stub(found=(SAMPLE, dict(SAMPLE))), listed)
    assert sample["id"] == "5b1c"


class Wandering(Stub):
    """Lists 600 samples in pages, of which one comes twice in the place of another.

    Args:
        settles: whether the listing is the same when it is read again.
    """

    def __init__(self, *, settles: bool) -> None:
        super().__init__()
        self.settles = settles
        self.readings = 0

    async def _search(self, request: web.Request) -> web.Response:
        start = int(request.query["b_start"])
        self.readings += start == 0
        numbers = list(range(600))
        numbers[550 if self.settles else 550 + self.readings] = 3
        found = [{**SAMPLE, "uid": f"u{number}"} for number in numbers]
        return web.json_response({"count": len(found), "items": found[start : start + 500]})


def test_a_listing_whose_order_changes_is_no_shorter_listing():
    with pytest.raises(ResponseError, match="its order changes") as refused:
        ask(Wandering(settles=False), listed)
    assert refused.value.code == "LISTED_TWICE"
    assert len(ask(Wandering(settles=True), listed)) == 599


def test_a_sample_has_the_fields_of_the_generic_contract():
    (sample,) = ask(Stub(found=(SAMPLE,)), listed)
    known = {"id": "5b1c", "external_id": "SN 1", "project_id": "SR-1", "status": "sample_due", "sample_id": "PVM-0001"}
    assert {name: sample[name] for name in known} == known


@pytest.mark.parametrize(
    "criteria", [{"project_id": "SR-2"}, {"external_id": "SN 2"}, {"status": "verified"}, {"status": "Approved"}]
)
def test_what_a_filter_should_have_left_out_is_left_out(criteria):
    assert ask(Stub(found=(SAMPLE,)), lambda provider: listed(provider, **criteria)) == []


def test_the_500_that_means_no_is_a_conflict_and_is_sent_once():
    stub = Stub(status=500, success=False, type="APIError", message=NO_TRANSITION)
    with pytest.raises(Conflict, match="Invalid transition"):
        ask(stub, submit)
    assert stub.writes == 1


@pytest.mark.parametrize(
    "body", [{"error_type": "ConflictError"}, {"success": False, "type": "AttributeError", "message": "'NoneType'"}]
)
def test_any_other_500_may_have_taken_effect_and_is_sent_once(body):
    stub = Stub(status=500, **body)
    with pytest.raises(AmbiguousOutcome):
        ask(stub, submit)
    assert stub.writes == 1


def test_a_401_for_a_locked_field_is_a_conflict():
    locked = Stub(status=401, success=False, type="APIError", message="Not allowed to set the field 'Result'")
    with pytest.raises(Conflict, match="state in SENAITE"):
        ask(locked, submit)


def test_a_401_for_a_known_user_is_a_missing_right():
    refused = Stub(status=401, success=False, type="APIError", message="You are not allowed to create this content")
    with pytest.raises(PermissionDenied, match="integration"):
        ask(refused, submit)


def test_a_401_for_a_stranger_is_about_the_credentials():
    with pytest.raises(AuthenticationError, match="stranger") as caught:
        ask(Stub(STRANGER, status=401, message="You are not allowed"), submit)
    assert not isinstance(caught.value, PermissionDenied)


def test_field_errors_are_refusals_that_name_the_field():
    message = '{"Contact": "Contact is required, please correct."}'
    with pytest.raises(Rejected, match="Contact is required"):
        ask(Stub(status=400, success=False, type="APIError", message=message), submit)


SETUP = ({"uid": "c1", "title": "Solar"}, {"uid": "k1", "parent_uid": "c1"}, {"uid": "t1", "title": "PV Module"})
REGISTERED = {**SAMPLE, "getClientTitle": "Solar", "getSampleTypeTitle": "PV Module"}
SECOND = {**REGISTERED, "uid": "77e0", "getId": "PVM-0002"}
RECORD = Record("SR-1/SN 1", {"serial_number": "SN 1", "sr_number": "SR-1", "customer_name": "Solar"})


def carried(operation: str, record: Record) -> Callable[[SenaiteProvider], Awaitable[Report]]:
    """Return the question that carries one record."""

    async def carry(provider: SenaiteProvider) -> Report:
        with Ledger.in_memory() as ledger:
            return await Exchange(provider.operation(operation), ledger).arun([record])

    return carry


def test_a_registration_that_answers_with_nothing_is_looked_up_and_adopted():
    stub = Stub(found=SETUP, count=1, items=[{}])
    stub.made = (REGISTERED,)
    (outcome,) = ask(stub, carried("create_sample", RECORD)).outcomes
    assert (outcome.result, outcome.external_id) == (Result.ADOPTED, "5b1c")
    assert stub.writes == 1


class LateStub(Stub):
    """Answers the first write with an error and does its work together with that of the second."""

    async def _write(self, request: web.Request) -> web.Response:
        self.status = 500 if self.writes == 0 else 200
        self.made = (REGISTERED, SECOND) if self.writes else ()
        return await super()._write(request)


def test_a_registration_that_took_effect_while_it_was_sent_again_waits_for_a_person(tmp_path):
    stub = LateStub(found=SETUP, count=1, items=[{"uid": "77e0"}])
    contract = impatient("lims_senaite", tmp_path, horizon=0.1)
    (outcome,) = ask(stub, carried("create_sample", RECORD), contract).outcomes
    assert (outcome.result, outcome.code) == (Result.QUARANTINED, "DUPLICATE_IN_SYSTEM")
    assert stub.writes == 2


STATUS = Record("SR-1/SN 1", {"lims_sample_id": "5b1c", "lims_status": "Received"})
RESULTS = Record(
    "5678",
    {
        "lims_sample_id": "5b1c",
        "execution_id": "5678",
        "protocol_id": "PVTP-001",
        "completed_at": "2025-11-12T10:15:00Z",
        "operator_name": "Ada Volt",
        "measurements": [{"parameter": "Pmax", "value": 400, "unit": "W", "qc_status": "PASS"}],
    },
)


@pytest.mark.parametrize(("operation", "record"), [("update_sample_status", STATUS), ("upload_results", RESULTS)])
def test_a_sample_that_is_there_twice_takes_nothing_until_a_person_has_chosen(operation, record):
    received = {**SAMPLE, "review_state": "sample_received"}
    stub = Stub(found=(received, {**received, "uid": "77e0", "review_state": "sample_due"}))
    (outcome,) = ask(stub, carried(operation, record)).outcomes
    assert (outcome.result, outcome.code) == (Result.REJECTED, "DUPLICATE_IN_SYSTEM")
    assert stub.writes == 0


@pytest.mark.parametrize(
    "other", [{"review_state": "cancelled"}, {"review_state": "invalid"}, {"getRawParentAnalysisRequest": "5b1c"}]
)
def test_what_is_cancelled_or_a_partition_makes_no_sample_double(other):
    received = {**SAMPLE, "review_state": "sample_received"}
    stub = Stub(found=(received, {**received, "uid": "77e0", **other}))
    (outcome,) = ask(stub, carried("update_sample_status", STATUS)).outcomes
    assert outcome.result is Result.UPDATED
