"""What the provider makes of SENAITE's habits, each met on the running system: resolved, or left to a person."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pv_testing.core.errors import AuthenticationError, MappingError, Rejected
from pv_testing.core.sync import run
from pv_testing.integrations import LIMSClient
from pv_testing.integrations.receipt import Receipt
from pv_testing.ledger import Ledger
from sandbox.proxy import serve_proxy
from tests.live.round_trip import API, impatient
from tests.live.senaite import plan
from tests.live.senaite.server import Server
from tests.live.test_senaite_facts import ANALYSES, SAMPLES, Caller

pytestmark = pytest.mark.live

CUSTOMER = "Fjord Energy"


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return impatient(tmp_path_factory.mktemp("contract"))


@pytest.fixture
def connect(senaite: Server, contract: Path) -> Any:
    """Make clients; without a ledger of its own, each knows nothing of the others."""

    def make(url: str = "", **other: Any) -> LIMSClient:
        settings = {"provider": "SENAITE", "contract": str(contract), "auth_type": "basic"}
        known = {"username": plan.INTEGRATION, "password": plan.INTEGRATION_PASSWORD}
        return LIMSClient(url or senaite.url, **{"ledger": Ledger.in_memory(), **settings, **known, **other})

    return make


@pytest.fixture
def lims(connect: Any) -> Iterator[LIMSClient]:
    with connect() as client:
        yield client


@pytest.fixture(scope="module")
def laboratory(senaite: Server) -> Iterator[Caller]:
    """A person of the laboratory, at SENAITE's own API."""
    with Caller(senaite, plan.VERIFIER, plan.VERIFIER_PASSWORD) as caller:
        yield caller


@pytest.fixture
def request_number() -> str:
    return f"SR-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def sample(lims: LIMSClient, laboratory: Caller, request_number: str) -> str:
    """A received sample without analyses."""
    uid = lims.create_sample("SN1", project_id=request_number, customer=CUSTOMER)["id"]
    assert laboratory.update(uid, transition="receive").status_code == 200
    return str(uid)


def results(execution: str = "", **values: float) -> dict[str, Any]:
    units = {"Pmax": "W", "Voc": "V", "Isc": "A"}
    measured = values or {"Pmax": 412.357, "Voc": 49.5}
    return {
        "execution_id": execution or uuid.uuid4().hex[:8],
        "test_id": "PVTP-001",
        "test_name": "STC Power Measurement",
        "test_date": "2025-11-12T10:15:00Z",
        "operator": "Ada Volt",
        "results": [{"analyte": n, "value": v, "unit": units[n], "status": "PASS"} for n, v in measured.items()],
    }


def current(laboratory: Caller, sample: str) -> dict[str, tuple[str, str]]:
    """Return result and state of each analysis that stands."""
    found = laboratory.search(ANALYSES, getAncestorsUIDs=sample)
    return {a["getKeyword"]: (a["getResult"], a["review_state"]) for a in found if a["review_state"] != "retracted"}


def test_an_empty_listing_is_not_believed_from_a_stranger(connect):
    with connect(password="wrong") as stranger, pytest.raises(AuthenticationError):
        stranger.get_samples_by_status("Pending Receipt")


def test_a_stranger_is_told_so_before_anything_is_sent(connect, laboratory, request_number):
    with connect(password="wrong") as stranger, pytest.raises(AuthenticationError):
        stranger.create_sample("SN1", project_id=request_number, customer=CUSTOMER)
    assert laboratory.search(SAMPLES, getClientSampleID=f"{request_number}/SN1") == []


def test_a_sample_that_the_ledger_has_forgotten_is_adopted(connect, lims, request_number):
    first = lims.create_sample("SN1", project_id=request_number, customer=CUSTOMER)
    with connect() as other:
        assert other.create_sample("SN1", project_id=request_number, customer=CUSTOMER)["id"] == first["id"]


def test_a_sample_that_the_laboratory_has_cancelled_is_not_made_anew(connect, lims, laboratory, request_number):
    uid = lims.create_sample("SN1", project_id=request_number, customer=CUSTOMER)["id"]
    assert laboratory.update(uid, transition="cancel").status_code == 200
    with connect() as other:
        assert other.create_sample("SN1", project_id=request_number, customer=CUSTOMER)["id"] == uid


def test_two_active_samples_with_one_key_are_a_matter_for_a_person(connect, lims, laboratory, request_number):
    uid = lims.create_sample("SN1", project_id=request_number, customer=CUSTOMER)["id"]
    there = laboratory.read(uid).json()
    body = {
        "SampleType": there["SampleTypeUID"],
        "ClientSampleID": there["ClientSampleID"],
        "DateSampled": "2025-11-20",
    }
    assert laboratory.write(f"AnalysisRequest/create/{there['parent_uid']}", body).status_code == 200
    with connect() as other, pytest.raises(MappingError) as refused:
        other.create_sample("SN1", project_id=request_number, customer=CUSTOMER)
    assert refused.value.code == "DUPLICATE_IN_SYSTEM"


def test_a_sample_that_senaite_registers_long_after_it_was_given_up_is_no_silent_double(
    connect, senaite, laboratory, request_number
):
    """The request waits for longer than its timeout and the horizon, as on a machine that is too busy."""
    key, found = f"{request_number}/SN1", []
    with serve_proxy(senaite.origin) as proxy, connect(proxy.url + API) as lims:
        late = {"route": f"POST {API}/AnalysisRequest/create/*", "kind": "delay", "seconds": 14, "times": 1}
        proxy.faults(late)
        uid = lims.create_sample("SN1", project_id=request_number, customer=CUSTOMER)["id"]
        give_up = time.monotonic() + 30
        while len(found) < 2 and time.monotonic() < give_up:
            found = laboratory.search(SAMPLES, getClientSampleID=key)
            time.sleep(0.2)
        assert len(found) == 2
        assert run(lims.areceipts({key: uid})) == {key: Receipt.DUPLICATE}
        for write in (lambda: lims.update_sample_status(uid, "Received"), lambda: lims.upload_results(uid, results())):
            laboratory.update(uid, transition="receive")
            with pytest.raises(Rejected) as refused:
                write()
            assert refused.value.code == "DUPLICATE_IN_SYSTEM"
        (other,) = (sample["uid"] for sample in found if sample["uid"] != uid)
        assert laboratory.update(other, transition="cancel").status_code == 200
        assert run(lims.areceipts({key: uid})) == {key: Receipt.RECEIVED}


@pytest.mark.parametrize(
    ("customer", "sample_type", "code"),
    [("Nobody Ltd", "PV Module", "CLIENT_UNKNOWN"), (CUSTOMER, "Cheese", "SAMPLE_TYPE_UNKNOWN")],
)
def test_what_senaite_has_not_set_up_is_named(connect, request_number, customer, sample_type, code):
    with connect(mappings={"sample_type": sample_type}) as lims, pytest.raises(Rejected) as refused:
        lims.create_sample("SN1", project_id=request_number, customer=customer)
    assert refused.value.code == code


def test_results_before_receipt_wait_for_a_person(lims, request_number):
    uid = lims.create_sample("SN1", project_id=request_number, customer=CUSTOMER)["id"]
    with pytest.raises(Rejected) as refused:
        lims.upload_results(uid, results())
    assert refused.value.code == "NOT_RECEIVED"


def test_a_quantity_without_a_place_holds_the_whole_set_back(lims, laboratory, sample):
    given = results()
    given["results"].append({"analyte": "Gloss", "value": 1, "unit": "GU", "status": "PASS"})
    with pytest.raises(MappingError) as refused:
        lims.upload_results(sample, given)
    assert refused.value.code == "ANALYTE_UNKNOWN"
    assert current(laboratory, sample) == {}


def test_a_result_of_another_execution_is_never_written_over(lims, laboratory, sample):
    lims.upload_results(sample, results(Pmax=400))
    with pytest.raises(Rejected) as refused:
        lims.upload_results(sample, results(Pmax=390, Voc=49))
    assert refused.value.code == "OCCUPIED"
    assert current(laboratory, sample) == {"PVTP001_Pmax": ("400", "to_be_verified")}


def test_a_result_that_is_verified_is_not_replaced(lims, laboratory, sample):
    lims.upload_results(sample, results("E1" + sample[:6], Pmax=400, Voc=49))
    for analysis in laboratory.search(ANALYSES, getAncestorsUIDs=sample, getKeyword="PVTP001_Pmax"):
        assert laboratory.update(analysis["uid"], transition="verify").status_code == 200
    with pytest.raises(Rejected) as refused:
        lims.upload_results(sample, results("E1" + sample[:6], Pmax=390, Voc=49))
    assert refused.value.code == "VERIFIED"
    assert current(laboratory, sample)["PVTP001_Pmax"] == ("400", "verified")


def test_a_forgotten_result_set_is_recognised_and_not_sent_again(connect, lims, laboratory, sample):
    given = results()
    lims.upload_results(sample, given)
    with connect() as other:
        other.upload_results(sample, given)
    assert len(laboratory.search(ANALYSES, getAncestorsUIDs=sample)) == 2


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "error", "html", "truncate"])
def test_a_set_that_breaks_off_at_one_result_is_continued_there(connect, senaite, laboratory, sample, kind):
    uids = ordered(laboratory, sample, "PVTP001_Pmax", "PVTP001_Voc", "PVTP001_Isc")
    with serve_proxy(senaite.origin) as proxy, connect(proxy.url + API) as lims:
        proxy.faults({"route": f"POST {API}/update/{uids['PVTP001_Voc']}", "kind": kind, "times": 1})
        lims.upload_results(sample, results(Pmax=400, Voc=49, Isc=10))
        written = [request["path"].rpartition("/")[2] for request in proxy.requests() if request["method"] == "POST"]
    assert written.count(uids["PVTP001_Pmax"]) == written.count(uids["PVTP001_Isc"]) == 1
    assert written.count(uids["PVTP001_Voc"]) == (1 if kind in {"drop_after", "html", "truncate"} else 2)
    assert current(laboratory, sample) == {
        "PVTP001_Pmax": ("400", "to_be_verified"),
        "PVTP001_Voc": ("49", "to_be_verified"),
        "PVTP001_Isc": ("10", "to_be_verified"),
    }
    assert len(laboratory.search(ANALYSES, getAncestorsUIDs=sample)) == 3


def test_a_correction_that_breaks_off_between_retraction_and_result_is_continued(connect, senaite, laboratory, sample):
    uids = ordered(laboratory, sample, "PVTP001_Pmax", "PVTP001_Voc")
    execution = uuid.uuid4().hex[:8]
    with serve_proxy(senaite.origin) as proxy, connect(proxy.url + API) as lims:
        lims.upload_results(sample, results(execution, Pmax=400, Voc=49))
        proxy.faults({"route": f"POST {API}/update/{uids['PVTP001_Pmax']}", "kind": "drop_after", "times": 1})
        lims.upload_results(sample, results(execution, Pmax=391, Voc=49))
    found = laboratory.search(ANALYSES, getAncestorsUIDs=sample)
    assert sorted((a["getKeyword"], a["getResult"], a["review_state"]) for a in found) == [
        ("PVTP001_Pmax", "391", "to_be_verified"),
        ("PVTP001_Pmax", "400", "retracted"),
        ("PVTP001_Voc", "49", "to_be_verified"),
    ]


def test_results_that_need_more_analyses_than_a_clerk_may_order_wait_for_a_person(lims, laboratory, sample):
    lims.upload_results(sample, results(Pmax=400))
    with pytest.raises(Rejected) as refused:
        lims.upload_results(sample, results(Voc=49))
    assert refused.value.code == "NOT_ORDERED"
    assert current(laboratory, sample) == {"PVTP001_Pmax": ("400", "to_be_verified")}


def test_a_status_is_reached_once_and_never_taken_back(lims, laboratory, request_number):
    uid = lims.create_sample("SN1", project_id=request_number, customer=CUSTOMER)["id"]
    lims.update_sample_status(uid, "Received", notes="came by lorry")
    there = laboratory.read(uid).json()
    assert there["review_state"] == "sample_received"
    assert [remark["content"] for remark in there["Remarks"]] == ["<p>came by lorry</p>"]
    lims.update_sample_status(uid, "Pending Receipt")
    assert laboratory.read(uid).json()["review_state"] == "sample_received"


def test_a_lost_answer_to_a_transition_is_looked_up_and_not_sent_again(connect, senaite, laboratory, request_number):
    with serve_proxy(senaite.origin) as proxy, connect(proxy.url + API) as lims:
        uid = lims.create_sample("SN1", project_id=request_number, customer=CUSTOMER)["id"]
        proxy.faults({"route": f"POST {API}/update/*", "kind": "drop_after", "times": 1})
        lims.update_sample_status(uid, "Received")
        assert sum(request["path"].endswith(f"/update/{uid}") for request in proxy.requests()) == 1
    assert laboratory.read(uid).json()["review_state"] == "sample_received"


def test_a_state_that_needs_a_second_person_is_not_ours(lims, laboratory, sample):
    lims.upload_results(sample, results())
    with pytest.raises(Rejected, match="second person") as refused:
        lims.update_sample_status(sample, "Approved")
    assert refused.value.code == "NOT_OURS"
    assert laboratory.read(sample).json()["review_state"] == "to_be_verified"


def test_a_user_who_may_not_see_the_laboratory_is_told_what_is_not_there(connect, request_number):
    with connect(username=plan.GUEST, password=plan.GUEST_PASSWORD) as guest:
        assert guest.authenticate() == plan.GUEST
        with pytest.raises(Rejected, match="or this user may not see it") as refused:
            guest.create_sample("SN1", project_id=request_number, customer=CUSTOMER)
    assert refused.value.code == "CLIENT_UNKNOWN"


def ordered(laboratory: Caller, sample: str, *keywords: str) -> dict[str, str]:
    """Let the laboratory order analyses, and return their UIDs by keyword."""
    services = laboratory.search("senaite_catalog_setup", portal_type="AnalysisService", getKeyword=list(keywords))
    listed = [{"uid": service["uid"]} for service in services]
    assert laboratory.update(sample, Analyses=listed).status_code == 200
    return {a["getKeyword"]: a["uid"] for a in laboratory.search(ANALYSES, getAncestorsUIDs=sample)}
