"""The fragments of docs/reference/contracts.md are a contract, which speaks to such a LIMS without any Python.

What the page says of units, words, types and YAML is held against the code that reads contracts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pv_testing.config import system_config
from pv_testing.contracts import load_contract
from pv_testing.contracts.fields import Shared, compile_map
from pv_testing.contracts.units import is_known
from pv_testing.core.classification import classify_http
from pv_testing.core.errors import AmbiguousOutcome, AuthenticationError, ConfigError, MappingError, Rejected
from pv_testing.core.response import Response
from pv_testing.core.schema import validator
from pv_testing.core.sync import run
from pv_testing.core.yaml_file import parse_yaml
from pv_testing.domain.records import Execution, Measurement, Module, ServiceRequest
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from pv_testing.samples.records import sample_records
from pv_testing.samples.result_sets import result_record
from pv_testing.testing import TrialVerdict, try_system
from sandbox.proxy import serve_proxy
from tests import yaml_text
from tests.docs import sunlab
from tests.docs.pages import PROJECT, blocks, prose, text

PAGE = PROJECT / "docs" / "reference" / "contracts.md"
RESULTS = {
    "execution_id": "5678",
    "test_id": "PVTP-001",
    "test_date": "2025-11-12T15:30:00+01:00",
    "operator": "Ada Volt",
    "results": [{"analyte": "Pmax", "value": 0.4025, "unit": "kW", "uncertainty": 0.002, "status": "PASS"}],
}


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("contract") / "lims_sunlab.yaml"
    path.write_text("\n".join(block.lstrip() for block in blocks(PAGE, "yaml")), encoding="utf-8")
    return path


@pytest.fixture
def server() -> Iterator[sunlab.Sunlab]:
    with sunlab.serve() as running:
        yield running


@pytest.fixture
def lims(contract: Path, server: sunlab.Sunlab) -> Iterator[LIMSClient]:
    with LIMSClient(server.url, contract=str(contract), api_key=sunlab.KEY) as client:
        yield client


def sample(lims: LIMSClient, **other: Any) -> dict[str, Any]:
    given = {"external_id": "SN1", "project_id": "SR-1", "sample_type": "PV Module", "customer": "Helios"}
    return lims.create_sample(**{**given, "metadata": {"model": "M400"}, **other})


def test_the_credentials_are_checked_by_the_identity(lims: LIMSClient, contract: Path, server: sunlab.Sunlab) -> None:
    assert lims.identity() == "integration"
    with (
        LIMSClient(server.url, contract=str(contract), api_key="wrong") as stranger,
        pytest.raises(AuthenticationError),
    ):
        stranger.identity()


def test_a_sample_arrives_as_the_map_says_and_only_once(lims: LIMSClient, server: sunlab.Sunlab) -> None:
    assert sample(lims)["id"] == sample(lims)["id"] == "0"
    (stored,) = server.samples
    assert stored == {
        "Id": 0,
        "SampleNo": "SN1",
        "Order": "SR-1",
        "Type": "PV Module",
        "Client": "Helios",
        "Origin": "PV framework",
        "Details": {"model": "M400"},
        "State": "EXPECTED",
    }


def test_a_changed_sample_is_updated(lims: LIMSClient, server: sunlab.Sunlab) -> None:
    sample(lims)
    sample(lims, customer="Fjord")
    assert [stored["Client"] for stored in server.samples] == ["Fjord"]


def test_a_lost_answer_is_looked_up(contract: Path, server: sunlab.Sunlab) -> None:
    with serve_proxy(server.url.removesuffix("/rest")) as proxy:
        proxy.faults({"route": "POST *", "kind": "drop_after", "times": 1})
        with LIMSClient(
            f"{proxy.url}/rest", contract=str(contract), api_key=sunlab.KEY, ledger=Ledger.in_memory()
        ) as lims:
            report = lims.create_samples([{"external_id": "SN1", "project_id": "SR-1", "customer": "Helios"}])
            lims.ledger.close()
    assert report.counts()["adopted"] == len(server.samples) == 1


def test_a_look_up_goes_through_all_pages(contract: Path, server: sunlab.Sunlab, tmp_path: Path) -> None:
    smaller = tmp_path / "lims_sunlab.yaml"
    smaller.write_text(contract.read_text(encoding="utf-8").replace("page_size: 200", "page_size: 2"), encoding="utf-8")
    with LIMSClient(server.url, contract=str(smaller), api_key=sunlab.KEY, ledger=Ledger.in_memory()) as lims:
        for request in ("SR-1", "SR-2", "SR-3", "SR-4", "SR-5"):
            sample(lims, project_id=request)
        lims.ledger.close()
    with serve_proxy(server.url.removesuffix("/rest")) as proxy:
        proxy.faults({"route": "POST *", "kind": "drop_after", "times": 1})
        with LIMSClient(f"{proxy.url}/rest", contract=str(smaller), api_key=sunlab.KEY) as lims:
            assert sample(lims, project_id="SR-6")["id"] == "5"
    assert len(server.samples) == 6


def test_rules_tell_busy_from_no(lims: LIMSClient, server: sunlab.Sunlab) -> None:
    server.busy = 1
    sample(lims)
    with pytest.raises(Rejected, match="no such client") as refused:
        sample(lims, external_id="SN2", customer="Nobody")
    assert refused.value.code == "CLIENT_UNKNOWN"


def test_results_are_converted_and_amended(lims: LIMSClient, server: sunlab.Sunlab) -> None:
    sample_id = sample(lims)["id"]
    lims.upload_results(sample_id, RESULTS)
    corrected = {**RESULTS, "results": [{**RESULTS["results"][0], "value": 0.41}]}  # type: ignore[index]
    lims.upload_results(sample_id, corrected)
    lims.upload_results(sample_id, corrected)
    assert [(row["Version"], row["Values"][0]["Value"]) for row in server.results] == [(1, "402.5"), (2, "410.0")]
    assert server.results[0]["At"] == "2025-11-12T14:30:00Z"
    assert server.results[0]["Values"][0] == {
        "Run": "5678", "Analyte": "Pmax", "Value": "402.5", "Unit": "W", "U": 2.0, "Verdict": "P",
    }  # fmt: skip


def test_a_status_only_moves_forward(lims: LIMSClient, server: sunlab.Sunlab) -> None:
    sample_id = sample(lims)["id"]
    lims.update_sample_status(sample_id, "TEST")
    assert [found["SampleNo"] for found in lims.get_samples_by_status("TEST")] == ["SN1"]
    with pytest.raises(Rejected) as refused:
        lims.update_sample_status(sample_id, "HERE")
    assert refused.value.code == "INVALID_TRANSITION"


@pytest.mark.parametrize("ordered", [False, True])
def test_the_answers_to_the_pages_bulk_request_are_given_to_the_records_by_key(
    contract: Path, tmp_path: Path, *, ordered: bool
) -> None:
    (snippet,) = re.findall(r"`(bulk: \{.+?\}\})`", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    written = yaml_text.read(contract)
    written["operations"]["create_sample"] |= yaml_text.load(snippet)
    written["operations"]["create_sample"]["bulk"]["ordered"] = ordered
    path = tmp_path / "lims_sunlab.yaml"
    path.write_text(yaml_text.dump(written), encoding="utf-8")
    bulk = load_contract(path).operation("create_sample").bulk
    assert bulk is not None
    keys = bulk.keys([{"Order": {"Number": "SR-1"}, "SampleNo": number} for number in "ABC"])
    rows = [{"Order": "SR-1", "SampleNo": number, "Id": number, "status": 201} for number in "CA"]
    found = bulk.matched({"rows": rows}, keys, 3)
    assert [bulk.id(each) if each else None for each in found] == ["A", None, "C"]
    nameless = [{"Id": number, "status": 201} for number in "ABC"]
    if ordered:
        assert bulk.matched({"rows": nameless}, keys, 3) == nameless
    else:
        with pytest.raises(AmbiguousOutcome):
            bulk.matched({"rows": nameless}, keys, 3)


def test_the_listing_is_read_in_our_words(lims: LIMSClient) -> None:
    sample(lims)
    (row,) = run(lims.asample_rows(status="EXPECTED"))
    assert (row.sr_number, row.serial_number, row.id, row.key) == ("SR-1", "SN1", "0", "SR-1/SN1")


def test_a_value_in_a_query_can_say_no_more_than_itself(lims: LIMSClient) -> None:
    sample(lims, customer="O'Hara")
    sample(lims, external_id="SN2")
    found = lims.list("search_samples", serial="SN1", client="O'Hara")
    assert [row["SampleNo"] for row in found] == ["SN1"]
    assert lims.list("search_samples", serial="' or 1=1 or '", client="x") == []
    with pytest.raises(MappingError) as refused:
        lims.list("search_samples", serial="SN1\\", client="x")
    assert refused.value.code == "NOT_QUOTABLE"


def test_what_the_page_says_holds_when_it_is_tried(contract: Path, server: sunlab.Sunlab) -> None:
    config = system_config("lims", server.url, contract=str(contract), api_key=sunlab.KEY)
    findings = try_system(config, patience=5.0)
    assert [str(finding) for finding in findings if finding.verdict is TrialVerdict.FAILS] == []
    held = {finding.check for finding in findings if finding.verdict is TrialVerdict.HOLDS}
    assert held >= {"create", "find", "absent", "list", "update", "states", "words", "once", "horizon"}


def test_vocabularies_work_both_ways_and_guess_nothing(contract: Path) -> None:
    loaded = load_contract(contract)
    assert loaded.vocabularies["sample_status"].write("testing_complete") == "DONE"
    assert loaded.vocabularies["receipt"].read("here") == "PENDING_INSPECTION"
    with pytest.raises(MappingError) as refused:
        loaded.vocabularies["verdict"].write("SUPER")
    assert refused.value.code == "STATUS_UNKNOWN"


def test_names_are_set_by_a_site(contract: Path) -> None:
    assert load_contract(contract, {"sample_number_field": "No"}).maps["sample"].mapping["serial_number"] == "No"


def test_the_default_limits_are_those_of_the_page(tmp_path: Path) -> None:
    path = tmp_path / "least.yaml"
    path.write_text("{contract: 1, system: lims, provider: X, title: X, operations: {read: {path: /x}}}")
    limits = load_contract(path).limits
    assert (limits.concurrency, limits.attempt_timeout, limits.total_timeout, limits.horizon) == (8, 30, 120, 2)
    assert (limits.rate, limits.response_bytes) == (None, 32 * 2**20)


def test_every_key_of_the_schema_is_on_the_page() -> None:
    how_to = PROJECT / "docs" / "how-to"
    page = "\n".join(text(path) for path in (PAGE, how_to / "databases.md", how_to / "soap.md"))
    assert {key for key in keys(validator("contract").schema) if not re.search(rf"\b{key}\b", page)} == set()


def keys(schema: Any) -> Iterator[str]:
    """Give the names of all properties of a schema."""
    if isinstance(schema, dict):
        for name, inner in schema.items():
            if name == "properties":
                yield from inner
            yield from keys(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from keys(inner)


@pytest.mark.parametrize(
    ("status", "repeatable", "other"),
    [
        (201, "ok", "ok"),
        (425, "retryable", "retryable"),
        (429, "retryable", "retryable"),
        (503, "retryable", "retryable"),
        (408, "retryable", "ambiguous"),
        (500, "retryable", "ambiguous"),
        (504, "retryable", "ambiguous"),
        (302, "SecurityError", "ambiguous"),
        (301, "SecurityError", "SecurityError"),
        (403, "PermissionDenied", "PermissionDenied"),
        (404, "NotFound", "NotFound"),
        (409, "Conflict", "Conflict"),
        (412, "Conflict", "Conflict"),
        (422, "rejected", "rejected"),
    ],
)
def test_http_decides_as_the_table_says(status: int, repeatable: str, other: str) -> None:
    for may_repeat, expected in ((True, repeatable), (False, other)):
        found = classify_http(Response(status, {}, b""), may_repeat)
        assert (found.error.__name__ if found.error else found.verdict.value) == expected


def test_the_units_of_the_page_are_known(contract: Path) -> None:
    assert all(is_known(unit) for unit in load_contract(contract).units["analytes"].values())


@pytest.mark.parametrize(
    ("value", "kind", "code"),
    [
        ("x", "number", "NOT_A_NUMBER"),
        (float("nan"), "number", "NOT_A_NUMBER"),
        (1.5, "integer", "NOT_WHOLE"),
        (True, "string", "NOT_TEXT"),
        ("yesterday", "datetime", "NOT_A_TIME"),
        ("12.11.2025", "date", "NOT_A_DATE"),
        ("maybe", "boolean", "NOT_A_TRUTH_VALUE"),
        ("x", "list", "NOT_A_LIST"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(value: Any, kind: str, code: str) -> None:
    with pytest.raises(MappingError) as refused:
        compile_map("record", {"field": {"type": kind}}, Shared()).out({"field": value})
    assert refused.value.code == code
    assert f"`{code}`" in prose(PAGE)


def test_the_fields_of_our_records_are_those_of_the_page() -> None:
    request = ServiceRequest(1, "SR-1", "TESTING_COMPLETE", {}, (Module("SN1", {"model": "M"}),), 1, ("PVTP-001",))
    measured = (Measurement("Pmax", 1, "W", qc_status="PASS"),)
    execution = Execution("5", "PVTP-001", "SN1", 1, "COMPLETE", "PASS", "", "", {}, (), measured, ())
    record = result_record(execution, {"protocol_id": "PVTP-001"}, "SR-1", "LIM-1")
    given = {"sample": sample_records(request)[0].data, "result set": record.data}
    given["measurement"] = record.data["measurements"][0]
    for kind, data in given.items():
        (row,) = re.findall(rf"^\| {kind} \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
        assert [name for name in data if f"`{name}`" not in row] == []


def traps() -> list[str]:
    """Return what the page says is refused in YAML."""
    table = prose(PAGE).split("## YAML")[1]
    first = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    return [trap for cell in first for trap in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("written", traps())
def test_a_yaml_trap_is_refused(written: str) -> None:
    with pytest.raises(ConfigError):
        parse_yaml(f"key: {written}\n".encode(), "file")


@pytest.mark.parametrize(
    "written", ["a: 1\na: 2", "a: &x {b: 1}\nc: {<<: *x}", "a: !!python/object x", "a: 1\n---\nb: 2", "a: [" * 40]
)
def test_what_hides_content_is_refused(written: str) -> None:
    with pytest.raises(ConfigError):
        parse_yaml(f"{written}\n".encode(), "file")


@pytest.mark.parametrize("written", ['"NO"', "true", '"012"', "10", '"12:30:45"', "1000", "0.5", "5.0", '"2025-11-12"'])
def test_the_remedies_are_accepted(written: str) -> None:
    assert parse_yaml(f"key: {written}\n".encode(), "file").value["key"] is not None
    assert f"`{written}`" in prose(PAGE)
