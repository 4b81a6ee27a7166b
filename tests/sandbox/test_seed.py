"""The seeded laboratory is the documented one, the same each time, physically possible, and messy on request."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sandbox import Lab, SeedPlan, serve
from sandbox.messy import FLAWS
from sandbox.seed import seed


def executions(database: Path) -> list[dict[str, Any]]:
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    rows = connection.execute("SELECT * FROM executions ORDER BY 1").fetchall()
    connection.close()
    return [{**dict(row), "results": json.loads(row["results"])} for row in rows]


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    database = tmp_path_factory.mktemp("seed") / "framework.sqlite"
    seed(database, SeedPlan(state="complete"))
    return executions(database)


def test_twelve_modules_and_twelve_protocols_make_144_executions(planned: list[dict[str, Any]]) -> None:
    assert len(planned) == 144
    assert len({each["module_id"] for each in planned}) == 12
    hours = {each["protocol_id"]: each["hours"] for each in planned}
    assert sum(hours.values()) == 2411.5
    assert Counter(each["qc_status"] for each in planned) == {"PASS": 134, "FAIL": 10}
    assert {each["status"] for each in planned} == {"COMPLETE"}


def test_the_verdict_follows_from_the_criteria(planned: list[dict[str, Any]]) -> None:
    for each in planned:
        results = each["results"]
        verdicts = {criterion["result"] for criterion in results["pass_fail"]["criteria"]}
        expected = "FAIL" if "FAIL" in verdicts else "PASS"
        assert results["qc_status"] == results["pass_fail"]["overall"] == each["qc_status"] == expected
        for criterion in results["pass_fail"]["criteria"]:
            assert results["measurements"][criterion["parameter"]]["value"] == criterion["measured"]


def test_power_is_voltage_times_current_times_fill_factor(planned: list[dict[str, Any]]) -> None:
    for each in planned:
        if each["protocol_id"] != "PVTP-001":
            continue
        values = {name: measured["value"] for name, measured in each["results"]["measurements"].items()}
        fill_factor = each["results"]["analysis"]["fill_factor"]
        assert values["Pmax"] == pytest.approx(values["Voc"] * values["Isc"] * fill_factor / 100, abs=0.1)
        assert values["Pmax"] == pytest.approx(values["Vmp"] * values["Imp"], rel=1e-3)
        assert values["Vmp"] < values["Voc"]
        assert values["Imp"] < values["Isc"]
        assert 65 <= fill_factor <= 85


def test_stress_never_gives_power_back(planned: list[dict[str, Any]]) -> None:
    for each in planned:
        measured = each["results"]["measurements"]
        if "Pmax_Final" in measured:
            assert measured["Pmax_Final"]["value"] <= measured["Pmax_Initial"]["value"]


def test_every_measurement_has_a_unit(planned: list[dict[str, Any]]) -> None:
    units = {measured["unit"] for each in planned for measured in each["results"]["measurements"].values()}
    assert units == {"W", "V", "A", "°C", "%/°C", "%", "MΩ·m²", "µA", "Pa", "mm", "count", "cm²"}


def test_the_same_seed_gives_the_same_laboratory(tmp_path: Path, planned: list[dict[str, Any]]) -> None:
    seed(tmp_path / "same.sqlite", SeedPlan(state="complete"))
    seed(tmp_path / "other.sqlite", SeedPlan(state="complete", seed=2))
    same, other = (executions(tmp_path / f"{name}.sqlite") for name in ("same", "other"))
    assert [each["results"] for each in same] == [each["results"] for each in planned]
    assert [each["results"] for each in other] != [each["results"] for each in planned]


def test_laboratories_with_other_first_requests_have_no_number_in_common(tmp_path: Path) -> None:
    numbers: Counter[int] = Counter()
    serials: Counter[str] = Counter()
    for first in (1, 2, 3):
        database = tmp_path / f"{first}.sqlite"
        seed(database, SeedPlan(modules=2, protocols=3, first=first))
        numbers.update(each["execution_id"] for each in executions(database))
        serials.update({each["module_id"] for each in executions(database)})
    assert numbers == Counter(range(5001, 5019))
    assert len(serials) == 6


def test_every_protocol_of_the_catalogue_can_be_run(tmp_path: Path) -> None:
    for failures, verdict in ((0.0, "PASS"), (1.0, "FAIL")):
        database = tmp_path / f"{verdict}.sqlite"
        seed(database, SeedPlan(modules=3, protocols=54, failures=failures))
        assert {each["qc_status"] for each in executions(database)} == {verdict}


def test_five_thousand_samples_are_seeded_in_seconds(tmp_path: Path) -> None:
    begin = time.monotonic()
    added = seed(tmp_path / "large.sqlite", SeedPlan(requests=10, modules=500, protocols=2))
    assert time.monotonic() - begin < 10
    assert added == {"service_requests": 10, "modules": 5000, "executions": 10_000}


@pytest.fixture(scope="module")
def messy() -> Any:
    with serve(seed_plan=SeedPlan(requests=0, messy=True)) as lab:
        yield lab


def test_every_flaw_is_there_by_its_name(messy: Lab, anyone: Any) -> None:
    caller = entered(messy, anyone)
    listing = caller.get("/service-requests", params={"limit": 100}).json()["data"]
    requests = {each["metadata"]["flaw"]: each for each in listing}
    assert requests.keys() == {flaw.name for flaw in FLAWS}
    modules = {name: each["module"] for name, each in requests.items()}
    assert "serial_numbers" not in modules["serials_missing"]
    assert modules["serials_empty"]["serial_numbers"] == []
    assert len(set(modules["serial_twice"]["serial_numbers"])) == 1
    assert (
        len(modules["serials_fewer_than_quantity"]["serial_numbers"])
        < modules["serials_fewer_than_quantity"]["quantity"]
    )
    assert requests["status_unknown"]["status"] == "AWAITING_CUSTOMER"
    assert caller.get(f"/service-requests/{requests['deleted_half_way']['id']}").status_code == 404

    def first(flaw: str) -> dict[str, Any]:
        sr_id = requests[flaw]["id"]
        return dict(caller.get("/executions", params={"sr_id": sr_id}).json()["data"][0])

    def power(flaw: str) -> dict[str, Any]:
        text = caller.get(f"/executions/{first(flaw)['execution_id']}/results").text
        return dict(json.loads(text)["results"]["measurements"]["Pmax"])

    assert "unit" not in power("unit_missing")
    assert power("unit_not_convertible")["unit"] == "V"
    assert power("value_nan")["value"] != power("value_nan")["value"]
    assert power("value_nan_text")["value"] == "NaN"
    assert first("timestamp_naive")["completed_at"] == "2025-11-13T07:00:00"
    assert first("protocol_unknown")["protocol_id"] == "PVTP-099"


def entered(lab: Lab, anyone: Any) -> Any:
    known = lab.credentials
    body = {"username": known.framework_username, "password": known.framework_password}
    token = anyone(lab.framework_url).post("/auth/login", json=body).json()["access_token"]
    return anyone(lab.framework_url, {"Authorization": f"Bearer {token}"})


def test_a_weak_protocol_fails_more_than_half_of_the_modules(tmp_path: Path) -> None:
    with serve(tmp_path, seed_plan=SeedPlan(failures=0.0, weak="PVTP-018", state="complete")) as lab:
        failed = [each["protocol_id"] for each in lab.executions() if each["qc_status"] == "FAIL"]
    assert failed == ["PVTP-018"] * 7
