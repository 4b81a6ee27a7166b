"""Shows the round trip on a real SENAITE under attack: nothing twice, nothing missing, every fact read back there.

Twelve modules, twelve protocols, 144 result sets. Processes are killed with SIGKILL, answers are lost after the commit.
What holds in the end is asked of SENAITE by its own API and of the framework's database, not of this project.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

import sandbox
from pv_testing.contracts.load import load_contract
from sandbox.proxy import serve_proxy
from tests.live.round_trip import RoundTrip, storm
from tests.live.senaite import plan
from tests.live.senaite.server import Server
from tests.live.test_senaite_facts import ANALYSES, SAMPLES, Caller

pytestmark = pytest.mark.live

MODULES = PROTOCOLS = 12
KEYWORDS = load_contract("lims_senaite").vocabularies["analytes"].to_external


@pytest.fixture(scope="module")
def trip(senaite: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoundTrip]:
    directory = tmp_path_factory.mktemp("round-trip")
    seed = sandbox.SeedPlan(requests=1, modules=MODULES, protocols=PROTOCOLS)
    with sandbox.serve(directory / "lab", seed_plan=seed) as lab, serve_proxy(senaite.origin) as proxy:
        yield RoundTrip(directory, [proxy], lab)


@pytest.fixture(scope="module")
def eyes(senaite: Server) -> Iterator[Caller]:
    """The laboratory's own view of SENAITE, past the proxy."""
    with Caller(senaite, plan.VERIFIER, plan.VERIFIER_PASSWORD) as caller:
        yield caller


def samples(trip: RoundTrip, eyes: Caller) -> list[dict[str, Any]]:
    """Return SENAITE's samples of the service request."""
    (request,) = trip.lab.service_requests()
    found = eyes.search(SAMPLES)
    return [sample for sample in found if sample["getClientReference"] == request["sr_number"]]


def wanted(trip: RoundTrip) -> dict[tuple[str, str], tuple[str, Decimal, str]]:
    """Return execution, value and unit of each quantity by serial number and keyword, from the framework itself."""
    sql = "SELECT execution_id, protocol_id, module_id, results FROM executions WHERE status = 'COMPLETE'"
    expected = {}
    for row in trip.lab.framework_rows(sql):
        results = json.loads(row["results"])
        measured = {name: (each["value"], each["unit"]) for name, each in results["measurements"].items()}
        for derived, name in (("fill_factor", "Fill_Factor"), ("efficiency", "Efficiency")):
            if derived in results.get("analysis", {}):
                measured[name] = (results["analysis"][derived], "%")
        for name, (value, unit) in measured.items():
            place = (row["module_id"], KEYWORDS[f"{row['protocol_id']}/{name}"])
            expected[place] = (str(row["execution_id"]), Decimal(str(value)), unit)
    return expected


def held(trip: RoundTrip, eyes: Caller) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return SENAITE's analyses by serial number and keyword."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for sample in samples(trip, eyes):
        serial = sample["getClientSampleID"].rpartition("/")[2]
        for analysis in eyes.search(ANALYSES, getAncestorsUIDs=sample["uid"]):
            found[serial, analysis["getKeyword"]].append(analysis)
    return found


def test_each_module_becomes_one_sample(trip, eyes):
    trip.proxies[0].faults(*storm(0.3))
    assert trip.step("intake", kill_after=[3, 5]) >= 3
    trip.proxies[0].faults()
    (request,) = trip.lab.service_requests()
    serials = request["module"]["serial_numbers"]
    found = samples(trip, eyes)
    keys = Counter(sample["getClientSampleID"] for sample in found)
    assert keys == Counter(f"{request['sr_number']}/{serial}" for serial in serials)
    assert {sample["review_state"] for sample in found} == {"sample_due"}
    assert {sample["getSampleTypeTitle"] for sample in found} == {"PV Module"}
    assert trip.killed == 2
    assert trip.counts() == {("lims", "sample", "confirmed"): MODULES}


def test_the_analyses_of_the_protocols_are_ordered_with_the_samples(trip, eyes):
    every = set(KEYWORDS.values())
    for sample in samples(trip, eyes):
        analyses = eyes.search(ANALYSES, getAncestorsUIDs=sample["uid"])
        assert Counter(analysis["getKeyword"] for analysis in analyses) == Counter(every)


def test_receipt_reaches_the_framework_when_the_last_sample_is_there(trip, eyes):
    *most, last = samples(trip, eyes)
    for sample in most:
        assert eyes.update(sample["uid"], transition="receive").status_code == 200
    trip.step("pull")
    assert [request["status"] for request in trip.lab.service_requests()] == ["PENDING_INSPECTION"]
    assert eyes.update(last["uid"], transition="receive").status_code == 200
    trip.step("pull")
    assert [request["status"] for request in trip.lab.service_requests()] == ["INSPECTION_COMPLETE"]


def test_a_status_that_the_samples_have_already_writes_nothing(trip, eyes):
    trip.lab.advance(1, "TESTING_IN_PROGRESS")
    before = trip.writes()
    trip.step("push")
    assert trip.writes() == before
    assert {sample["review_state"] for sample in samples(trip, eyes)} == {"sample_received"}


def test_each_result_is_in_its_analysis_once(trip, eyes):
    trip.lab.run_executions(1)
    trip.proxies[0].faults(*storm(0.03))
    assert trip.step("results", kill_after=[20, 250]) >= 3
    struck = {rule["kind"]: rule["hits"] for rule in trip.proxies[0].read_faults("proxy")}
    trip.proxies[0].faults()
    assert trip.killed == 4
    assert struck["drop_after"] >= 5
    assert trip.counts()["lims", "result", "confirmed"] == MODULES * PROTOCOLS
    expected, found = wanted(trip), held(trip, eyes)
    assert found.keys() == expected.keys()
    for place, (execution, value, unit) in expected.items():
        (analysis,) = found[place]
        assert (Decimal(analysis["getResult"]), analysis["getUnit"]) == (value, unit)
        assert analysis["getRemarks"].startswith(f"execution {execution}, revision 1 [")
        assert analysis["review_state"] == "to_be_verified"
    assert {sample["review_state"] for sample in samples(trip, eyes)} == {"to_be_verified"}


@pytest.mark.parametrize("step", ["intake", "push", "results"])
def test_another_run_writes_nothing(trip, step):
    before = trip.writes()
    assert trip.step(step) == 1
    assert trip.writes() == before


def test_a_corrected_result_retracts_only_what_has_changed(trip, eyes):
    (first,) = trip.lab.framework_rows(
        "SELECT execution_id, module_id FROM executions WHERE protocol_id = 'PVTP-001' ORDER BY 1 LIMIT 1"
    )
    trip.lab.correct(first["execution_id"], {"Pmax": {"value": 388.5, "unit": "W", "uncertainty": 1.2}})
    before = trip.writes()
    trip.step("results")
    assert trip.writes() - before == 2
    analyses = held(trip, eyes)[first["module_id"], "PVTP001_Pmax"]
    new, old = sorted(analyses, key=lambda analysis: analysis["review_state"] == "retracted")
    assert (new["review_state"], old["review_state"]) == ("to_be_verified", "retracted")
    assert new["getResult"] == "388.5"
    assert new["getRetestOfUID"] == old["uid"]
    assert new["getRemarks"].startswith(f"execution {first['execution_id']}, revision 2 [")


def test_a_second_person_verifies_what_the_integration_submitted(trip, eyes, senaite):
    sample = samples(trip, eyes)[0]
    analyses = eyes.search(ANALYSES, getAncestorsUIDs=sample["uid"], review_state="to_be_verified")
    with Caller(senaite, plan.INTEGRATION, plan.INTEGRATION_PASSWORD) as integration:
        assert integration.update(analyses[0]["uid"], transition="verify").status_code == 500
    for analysis in analyses:
        assert eyes.update(analysis["uid"], transition="verify").status_code == 200
    states = {each["uid"]: each["review_state"] for each in samples(trip, eyes)}
    assert states[sample["uid"]] == "verified"
    assert trip.counts()["lims", "result", "confirmed"] == MODULES * PROTOCOLS
