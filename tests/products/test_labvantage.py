"""LabVantage's steps, each of which can be the last one, and its traps that can fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pv_testing.core.errors import AuthenticationError, Rejected
from pv_testing.core.records import Record, Result
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from sandbox.products import labvantage
from sandbox.products.labvantage_lab import RefusedError
from tests.shipped import impatient

TESTS = ["PVTP-001", "PVTP-002"]
DATA = {"sr_number": "SR-1", "serial_number": "SN1", "customer_name": "Helios", "protocols": TESTS}
SAMPLE = Record("SR-1/SN1", DATA)
NOCT = ("NOCT", "Pmax_NOCT", "Temperature_Coefficient_Pmax")
Open = Callable[..., LIMSClient]


@pytest.fixture
def product(tmp_path: Path) -> Iterator[labvantage.StandIn]:
    with labvantage.serve(tmp_path) as running:
        yield running


@pytest.fixture
def opened(tmp_path: Path, product: labvantage.StandIn) -> Iterator[Open]:
    """Give a function that opens a client, with other settings than the stand-in's section."""
    contract = str(impatient("lims_labvantage", tmp_path, horizon=0.2))
    with ExitStack() as stack:

        def client(**other: Any) -> LIMSClient:
            ledger = stack.enter_context(Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}"))
            settings = {**product.section, "contract": contract, **other}
            return stack.enter_context(LIMSClient(settings.pop("base_url"), ledger=ledger, **settings))

        yield client


def results(sample: str, execution: str = "5678", value: float = 45.1) -> dict[str, Any]:
    measured = [{"analyte": name, "value": value, "unit": "", "uncertainty": 0.2, "status": "PASS"} for name in NOCT]
    units = dict(zip(NOCT, ("°C", "W", "%/°C"), strict=True))
    return {
        "sample_id": sample,
        "execution_id": execution,
        "test_id": "PVTP-002",
        "test_name": "NOCT",
        "test_date": "2025-11-12T15:30:00Z",
        "operator": "Ada Volt",
        "results": [{**each, "unit": units[each["analyte"]]} for each in measured],
    }


def fails(product: labvantage.StandIn, action: str, *, after: bool) -> None:
    """Let the next call of an action fail with 500, after its work is done or before."""
    actions: dict[str, Any] = dict(product.server.laboratory.actions)
    act = actions[action]

    def failing(given: dict[str, Any]) -> None:
        actions[action] = act
        if after:
            act(given)
        raise RefusedError(500, "ORA-00060")

    actions[action] = failing
    product.server.laboratory.actions = actions


def added(product: labvantage.StandIn) -> Counter[str]:
    return Counter(row["workitemid"] for row in product.server.laboratory.rows("test"))


def test_a_token_of_an_external_application_works_until_it_expires(product: labvantage.StandIn, opened: Open) -> None:
    with opened(auth_type="bearer", token=labvantage.TOKEN) as lims:
        assert lims.identity() == labvantage.USER
        product.server.tokens.clear()
        with pytest.raises(AuthenticationError) as caught:
            lims.create_sample("SN1", project_id="SR-1", customer="Helios")
    assert labvantage.TOKEN not in f"{caught.value} {caught.value.excerpt}"
    assert product.server.connections == {}
    assert product.rows("sample") == []


def test_a_connection_that_timed_out_is_renewed_and_nothing_is_doubled(
    product: labvantage.StandIn, opened: Open
) -> None:
    product.server.uses = 5
    samples = [{"external_id": f"SN{n}", "project_id": "SR-1", "customer": "Helios"} for n in range(6)]
    report = opened().create_samples(samples)
    assert all(outcome.result.in_effect for outcome in report.outcomes)
    assert sorted(row["key"] for row in product.rows("sample")) == [f"SR-1/SN{n}" for n in range(6)]
    assert len(product.server.connections) > 1


def test_a_refused_connection_says_so_without_the_password(opened: Open) -> None:
    with pytest.raises(AuthenticationError) as caught:
        opened(password="wrong-0815").identity()
    assert caught.value.code == "CREDENTIALS_REFUSED"
    assert "wrong-0815" not in f"{caught.value} {caught.value.excerpt}"


@pytest.mark.parametrize("after", [True, False], ids=["after the work", "before it"])
def test_a_sample_gets_each_of_its_tests_once_although_an_answer_is_lost(
    product: labvantage.StandIn, opened: Open, after: bool
) -> None:
    fails(product, "AddSDIWorkItem", after=after)
    (outcome,) = opened().exchange("create_sample", [SAMPLE]).outcomes
    assert outcome.result.in_effect
    assert len(product.rows("sample")) == 1
    assert added(product) == dict.fromkeys(TESTS, 1)


def test_a_sample_that_lacks_tests_gets_what_it_lacks(product: labvantage.StandIn, opened: Open) -> None:
    lims = opened()
    lims.exchange("create_sample", [Record("SR-1/SN1", {**DATA, "protocols": TESTS[:1]})])
    (outcome,) = lims.exchange("create_sample", [SAMPLE]).outcomes
    assert outcome.result is Result.UPDATED
    assert added(product) == dict.fromkeys(TESTS, 1)


@pytest.mark.parametrize("action", ["AddDataSet", "EditDataSet", "EnterDataSet", "EditDataItem"])
@pytest.mark.parametrize("after", [True, False], ids=["after the work", "before it"])
def test_result_sets_go_on_from_each_step(product: labvantage.StandIn, opened: Open, action: str, after: bool) -> None:
    lims = opened()
    (outcome,) = lims.exchange("create_sample", [SAMPLE]).outcomes
    sample = outcome.external_id
    fails(product, action, after=after)
    report = lims.upload_result_sets([results(sample, "1"), results(sample, "2")])
    assert all(outcome.result.in_effect for outcome in report.outcomes)
    assert Counter(row["key"] for row in product.rows("result")) == {"1": 1, "2": 1}
    sets = product.server.laboratory.rows("dataset", sample)
    assert Counter(row["paramlistid"] for row in sets) == {"PVTP-001": 1, "PVTP-002": 2}
    item = sets[-1]["items"]["NOCT"]
    assert item == {"enteredtext": "45.1", "uncertainty": "0.2", "condition": "Pass"}
    before = product.server.laboratory.rows("dataset")
    lims.upload_result_sets([results(sample, "1"), results(sample, "2")])
    assert product.server.laboratory.rows("dataset") == before


def test_a_status_follows_from_release_approval_and_review(product: labvantage.StandIn, opened: Open) -> None:
    sample = opened().create_sample("SN1", project_id="SR-1", customer="Helios")["id"]
    opened().upload_results(results(sample))
    with pytest.raises(Rejected, match="LabVantage makes it Completed when all data are released and approved"):
        opened(options={"steps": ""}).update_sample_status(sample, "Completed")
    (row,) = product.server.laboratory.rows("dataset")
    assert row["s_datasetstatus"] == "DataEntered"
    (outcome,) = opened(options={}).update_sample_statuses([{"sample_id": sample, "status": "Completed"}]).outcomes
    (row,) = product.server.laboratory.rows("dataset")
    assert row["s_datasetstatus"] == "Released"
    assert (outcome.result, outcome.code) == (Result.REJECTED, "NOT_OURS")
    opened().update_sample_status(sample, "Reviewed")
    assert product.rows("sample")[0]["status"] == "Reviewed"


def test_a_released_data_set_is_not_overwritten(product: labvantage.StandIn, opened: Open) -> None:
    lims = opened()
    sample = lims.create_sample("SN1", project_id="SR-1", customer="Helios")["id"]
    lims.upload_results(results(sample))
    lims.upload_results(results(sample, value=46.2))
    assert [row["values"]["NOCT"] for row in product.rows("result")] == ["46.2"]
    lims.update_sample_status(sample, "Completed")
    with pytest.raises(Rejected) as caught:
        lims.upload_results(results(sample, value=47.3))
    assert caught.value.code == "DATA_SET_CLOSED"
    assert [row["values"]["NOCT"] for row in product.rows("result")] == ["46.2"]


def test_a_value_with_a_semicolon_waits(product: labvantage.StandIn, opened: Open) -> None:
    lims = opened()
    sample = lims.create_sample("SN1", project_id="SR-1", customer="Helios")["id"]
    given = results(sample)
    given["results"][2].update(value="none; see photo")
    (outcome,) = lims.upload_result_sets([given]).outcomes
    assert outcome.code == "SEMICOLON"
    assert product.rows("result") == []
