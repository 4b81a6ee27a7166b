"""Shows on a running SENAITE the facts of docs/how-to/senaite.md that the provider relies on, without the provider."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.live.senaite import plan
from tests.live.senaite.server import Server

pytestmark = pytest.mark.live

KEYWORDS = ("PVTP001_Pmax", "PVTP001_Voc")
SAMPLES, ANALYSES, SETUP = "senaite_catalog_sample", "senaite_catalog_analysis", "senaite_catalog_setup"


class Caller(requests.Session):
    """One user of the JSON API."""

    def __init__(self, server: Server, name: str, password: str) -> None:
        super().__init__()
        self.trust_env = False
        self.auth = (name, password)
        self.base = server.url

    def read(self, path: str, **params: Any) -> requests.Response:
        return self.get(f"{self.base}/{path}", params=params, timeout=60)

    def write(self, path: str, body: Any) -> requests.Response:
        return self.post(f"{self.base}/{path}", json=body, timeout=60)

    def search(self, catalog: str, **params: Any) -> list[dict[str, Any]]:
        return list(self.read("search", catalog=catalog, limit=1000, **params).json()["items"])

    def update(self, uid: str, **fields: Any) -> requests.Response:
        return self.write(f"update/{uid}", fields)

    def analyses(self, uid: str) -> dict[str, dict[str, Any]]:
        return {analysis["getKeyword"]: analysis for analysis in self.search(ANALYSES, getAncestorsUIDs=uid)}


class Laboratory(Caller):
    """The integration's user, with what it needs to register samples."""

    def __init__(self, server: Server) -> None:
        super().__init__(server, plan.INTEGRATION, plan.INTEGRATION_PASSWORD)
        self.client = self.search("senaite_catalog_client", portal_type="Client")[0]["uid"]
        self.contact = self.search("senaite_catalog_contact", getParentUID=self.client)[0]["uid"]
        self.sample_type = self.search(SETUP, portal_type="SampleType")[0]["uid"]
        services = self.search(SETUP, portal_type="AnalysisService")
        self.services = {service["getKeyword"]: service["uid"] for service in services}

    def body(self, key: str, keywords: tuple[str, ...] = KEYWORDS, **others: Any) -> dict[str, Any]:
        return {
            "Contact": self.contact,
            "SampleType": self.sample_type,
            "DateSampled": "2025-11-20",
            "ClientSampleID": key,
            "ClientReference": "SR-FACTS",
            "Analyses": [self.services[keyword] for keyword in keywords],
            **others,
        }

    def register(self, body: dict[str, Any]) -> requests.Response:
        return self.write(f"AnalysisRequest/create/{self.client}", body)

    def sample(self, key: str, *, received: bool = True, keywords: tuple[str, ...] = KEYWORDS) -> str:
        uid = str(self.register(self.body(key, keywords)).json()["items"][0]["uid"])
        if received:
            assert self.update(uid, transition="receive").status_code == 200
        return uid

    def submit(self, uid: str, keyword: str = KEYWORDS[0], result: str = "412.357", **others: Any) -> str:
        analysis = str(self.analyses(uid)[keyword]["uid"])
        assert self.update(analysis, Result=result, transition="submit", **others).status_code == 200
        return analysis

    def state(self, uid: str) -> str:
        return str(self.read(uid).json()["review_state"])


@pytest.fixture(scope="module")
def lab(senaite: Server) -> Iterator[Laboratory]:
    with Laboratory(senaite) as caller:
        yield caller


@pytest.fixture(scope="module")
def verifier(senaite: Server) -> Iterator[Caller]:
    with Caller(senaite, plan.VERIFIER, plan.VERIFIER_PASSWORD) as caller:
        yield caller


@pytest.fixture(scope="module")
def stranger(senaite: Server) -> Iterator[Caller]:
    with Caller(senaite, plan.INTEGRATION, "not the password") as caller:
        yield caller


@pytest.fixture
def key() -> str:
    """A business key that no other test uses."""
    return f"SR-FACTS/{uuid.uuid4().hex[:12]}"


def test_wrong_credentials_look_like_an_empty_system(lab, stranger, key):
    uid = lab.sample(key, received=False)
    listing = stranger.read("AnalysisRequest")
    assert (listing.status_code, listing.json()["count"]) == (200, 0)
    by_uid = stranger.read(uid)
    assert by_uid.status_code == 200
    assert "ClientSampleID" not in by_uid.json()


@pytest.mark.parametrize("catalog", [SAMPLES, ANALYSES, SETUP, "senaite_catalog_client", "senaite_catalog_contact"])
def test_a_stranger_finds_nothing_in_any_catalogue(lab, stranger, key, catalog):
    lab.sample(key, received=False)
    assert lab.search(catalog)
    assert stranger.search(catalog) == []


def test_only_the_current_user_tells_a_stranger(lab, stranger):
    assert lab.read("users/current").json()["items"][0]["username"] == plan.INTEGRATION
    answer = stranger.read("users/current")
    assert answer.status_code == 200
    assert answer.json()["items"][0]["authenticated"] is False


def test_a_stranger_writes_nothing(lab, stranger, key):
    assert stranger.write(f"AnalysisRequest/create/{lab.client}", lab.body(key)).status_code == 401
    assert lab.search(SAMPLES, getClientSampleID=key) == []


@pytest.mark.parametrize("tail", ["A,1", "A 2", "Ü-3", "A&4=x", "<b>5%", "a/b", " blanks "])
def test_a_key_is_found_at_once_and_exactly(lab, key, tail):
    uid = lab.sample(key + tail, received=False)
    assert [found["uid"] for found in lab.search(SAMPLES, getClientSampleID=key + tail)] == [uid]
    assert lab.search(SAMPLES, getClientSampleID=(key + tail)[:-1]) == []
    assert lab.search(SAMPLES, getClientSampleID=(key + tail).swapcase()) == []


def test_several_keys_are_looked_up_in_one_request(lab, key):
    uids = {lab.sample(f"{key}-{place}", received=False) for place in range(3)}
    found = lab.search(SAMPLES, getClientSampleID=[f"{key}-{place}" for place in range(4)])
    assert {sample["uid"] for sample in found} == uids


def test_one_key_is_accepted_any_number_of_times(lab, key):
    assert len({lab.sample(key, received=False) for _ in range(3)}) == 3
    assert len(lab.search(SAMPLES, getClientSampleID=key)) == 3


@pytest.mark.parametrize("filter_", ["getClientReference", "nonsense"])
def test_a_filter_that_is_no_index_is_ignored(lab, key, filter_):
    lab.sample(key, received=False)
    every = lab.read("search", catalog=SAMPLES).json()["count"]
    assert lab.read("search", catalog=SAMPLES, **{filter_: "no such value"}).json()["count"] == every


def test_an_unknown_catalogue_is_an_empty_success(lab, key):
    lab.sample(key, received=False)
    answer = lab.read("search", catalog="bika_catalog_analysisrequest_listing", getClientSampleID=key)
    assert (answer.status_code, answer.json()["count"]) == (200, 0)


def test_a_listing_comes_in_pages(lab, key):
    for place in range(3):
        lab.sample(f"{key}-{place}", received=False)
    wanted = {"catalog": SAMPLES, "review_state": "sample_due", "sort_on": "created", "limit": 2}
    first, second = lab.read("search", **wanted).json(), lab.read("search", **wanted, b_start=2).json()
    assert len(first["items"]) == 2
    assert not {item["uid"] for item in first["items"]} & {item["uid"] for item in second["items"]}
    assert lab.read("search", **wanted, b_start=first["count"]).json()["items"] == []


def test_what_cannot_be_read_is_dropped_without_a_word(lab, key):
    odd = lab.body(key, DateSampled="no date", Nonsense="x", Analyses=[*lab.body(key)["Analyses"], "No_Such_Keyword"])
    answer = lab.register(odd)
    assert answer.status_code == 200
    uid = answer.json()["items"][0]["uid"]
    assert lab.read(uid).json()["DateSampled"] is None
    assert set(lab.analyses(uid)) == set(KEYWORDS)


def test_a_missing_contact_shows_at_receipt_as_json_within_json(lab, key):
    uid = lab.register(lab.body(key, Contact="")).json()["items"][0]["uid"]
    answer = lab.update(uid, transition="receive")
    assert answer.status_code == 400
    assert set(json.loads(answer.json()["message"])) == {"Contact"}


def test_a_transition_that_is_not_allowed_is_a_permanent_500(lab, key):
    uid = lab.sample(key)
    for _ in range(2):
        answer = lab.update(uid, transition="receive")
        assert answer.status_code == 500
        assert answer.json()["message"].partition("\n")[0].endswith("Invalid transition 'receive'.")
    assert lab.state(uid) == "sample_received"


def test_a_500_can_come_after_the_commit_of_fields(lab, key):
    analysis = lab.analyses(lab.sample(key))[KEYWORDS[0]]["uid"]
    assert lab.update(analysis, Result="77", Remarks="half", transition="verify").status_code == 500
    kept = lab.read(analysis).json()
    assert (kept["Result"], kept["Remarks"], kept["review_state"]) == ("77", "half", "unassigned")


def test_a_500_can_come_after_the_commit_of_a_new_object(senaite, lab):
    title = f"Leak_{uuid.uuid4().hex[:8]}"
    body = {"parent_path": "/senaite/bika_setup/bika_analysisservices", "title": title, "Keyword": title}
    with Caller(senaite, plan.ADMIN, plan.ADMIN_PASSWORD) as admin:
        assert admin.write("AnalysisService/create", body).status_code == 500
        assert len(admin.search(SETUP, portal_type="AnalysisService", title=title)) == 1


def test_a_write_carries_one_object_only(lab, key):
    analyses = lab.analyses(lab.sample(key)).values()
    answer = lab.write("update", [{"uid": a["uid"], "Result": "1", "transition": "submit"} for a in analyses])
    assert answer.status_code == 500


def test_results_are_refused_before_receipt_and_without_a_value(lab, key):
    uid = lab.sample(key, received=False)
    pmax, voc = (lab.analyses(uid)[keyword]["uid"] for keyword in KEYWORDS)
    assert lab.update(pmax, Result="1", transition="submit").status_code == 401
    lab.update(uid, transition="receive")
    assert lab.update(voc, transition="submit").status_code == 500


def test_a_submitted_result_keeps_its_digits_and_is_protected_by_401(lab, key):
    analysis = lab.submit(lab.sample(key), result="412.3570", Remarks="<b>Ω·m² & ü", Uncertainty="1.5")
    answer = lab.update(analysis, Result="1")
    assert (answer.status_code, answer.json()["message"]) == (401, "Not allowed to set the field 'Result'")
    kept = lab.read(analysis).json()
    assert (kept["Result"], kept["Remarks"], kept["Uncertainty"]) == ("412.3570", "<b>Ω·m² & ü", "1.5")
    assert kept["review_state"] == "to_be_verified"


def test_the_person_who_submitted_cannot_verify_and_another_can(lab, verifier, key):
    uid = lab.sample(key, keywords=KEYWORDS[:1])
    analysis = lab.submit(uid)
    assert lab.state(uid) == "to_be_verified"
    answer = lab.update(analysis, transition="verify")
    assert answer.status_code == 500
    assert "Invalid transition 'verify'" in answer.json()["message"]
    assert verifier.update(analysis, transition="verify").status_code == 200
    assert lab.state(uid) == "verified"
    assert verifier.update(uid, transition="publish").status_code == 200
    assert lab.state(uid) == "published"


def test_a_retracted_result_leaves_an_open_copy_with_the_old_remarks(lab, key):
    uid = lab.sample(key)
    old = lab.submit(uid, Remarks="revision 1")
    assert lab.update(old, transition="retract").status_code == 200
    (copy,) = (a for a in lab.search(ANALYSES, getAncestorsUIDs=uid) if a["getRetestOfUID"] == old)
    assert lab.state(old) == "retracted"
    assert (copy["review_state"], copy["getRemarks"]) == ("unassigned", "revision 1")
    assert lab.update(copy["uid"], Result="2", transition="submit").status_code == 200


def test_a_verified_result_cannot_be_retracted(verifier, lab, key):
    analysis = lab.submit(lab.sample(key))
    verifier.update(analysis, transition="verify")
    assert verifier.update(analysis, transition="retract").status_code == 500


def test_analyses_are_added_as_objects_while_one_is_open(lab, key):
    uid = lab.sample(key)
    lab.submit(uid)
    wanted = (*KEYWORDS, "PVTP001_Isc")
    assert lab.update(uid, Analyses=[{"uid": lab.services[keyword]} for keyword in wanted]).status_code == 200
    states = {keyword: analysis["review_state"] for keyword, analysis in lab.analyses(uid).items()}
    assert states == {KEYWORDS[0]: "to_be_verified", KEYWORDS[1]: "unassigned", "PVTP001_Isc": "unassigned"}


def test_only_a_manager_adds_analyses_once_all_are_submitted(lab, verifier, key):
    uid = lab.sample(key, keywords=KEYWORDS[:1])
    lab.submit(uid)
    assert lab.state(uid) == "to_be_verified"
    wanted = [{"uid": lab.services[keyword]} for keyword in KEYWORDS]
    assert lab.update(uid, Analyses=wanted).status_code == 401
    assert verifier.update(uid, Analyses=wanted).status_code == 200
    assert lab.state(uid) == "sample_received"
    assert set(lab.analyses(uid)) == set(KEYWORDS)


def test_analyses_as_plain_text_remove_every_open_one(lab, key):
    uid = lab.sample(key)
    assert lab.update(uid, Analyses=[lab.services[keyword] for keyword in KEYWORDS]).status_code == 200
    assert lab.analyses(uid) == {}


def test_a_verified_sample_takes_no_further_analysis(lab, verifier, key):
    uid = lab.sample(key, keywords=KEYWORDS[:1])
    verifier.update(lab.submit(uid), transition="verify")
    answer = lab.update(uid, Analyses=[{"uid": lab.services[keyword]} for keyword in KEYWORDS])
    assert (answer.status_code, answer.json()["message"]) == (401, "Not allowed to set the field 'Analyses'")


def test_an_invalidated_sample_has_a_successor_with_the_same_key(lab, verifier, key):
    uid = lab.sample(key, keywords=KEYWORDS[:1])
    verifier.update(lab.submit(uid), transition="verify")
    assert verifier.update(uid, transition="invalidate").status_code == 200
    states = {found["uid"]: found["review_state"] for found in lab.search(SAMPLES, getClientSampleID=key)}
    assert len(states) == 2
    assert sorted(states.values()) == ["invalid", "sample_received"]
    assert states[uid] == "invalid"


def test_parallel_writes_all_take_effect_whatever_they_answer(senaite, key):
    """An answer under load may be empty, an error or late; what wasn't refused is there exactly once."""
    local = threading.local()

    def register(place: int) -> tuple[int, str]:
        if not hasattr(local, "lab"):
            local.lab = Laboratory(senaite)
        answer = local.lab.register(local.lab.body(f"{key}-{place}"))
        return answer.status_code, _uid(answer)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(register, range(12)))
    with Laboratory(senaite) as lab:
        for place, (status, uid) in enumerate(answers):
            found = {sample["uid"] for sample in lab.search(SAMPLES, getClientSampleID=f"{key}-{place}")}
            assert len(found) == 1 if status == 200 else len(found) <= 1
            assert not uid or found == {uid}


def _uid(answer: requests.Response) -> str:
    items: list[dict[str, str]] = answer.json().get("items") or [{}]
    return items[0].get("uid", "")
