"""The guide's field_mappings.yaml takes effect beside the configuration file, or is refused where it can't."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import sandbox
from pv_testing.cli.main import main
from pv_testing.core.errors import ConfigError
from pv_testing.core.places import project_root
from pv_testing.core.sync import run
from pv_testing.integrations import FrameworkClient, LIMSClient
from pv_testing.integrations.renaming import Renaming
from pv_testing.samples.intake import create_samples
from pv_testing.samples.results import upload_results
from sandbox import Lab
from sandbox.seed import SeedPlan
from tests.docs.pages import PROJECT, blocks

(PRINTED,) = blocks(PROJECT / "docs" / "reference" / "clients.md", "yaml")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with sandbox.serve(seed_plan=SeedPlan(modules=1, protocols=2, state="complete")) as served:
        yield served


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "integrations.yaml").touch()
    monkeypatch.setenv("PV_CONFIG", str(tmp_path / "integrations.yaml"))
    return tmp_path / "field_mappings.yaml"


def lims_of(lab: Lab) -> LIMSClient:
    return LIMSClient(lab.lims_url, api_key=lab.credentials.lims_api_key)


def analytes(lab: Lab) -> set[str]:
    return {measured["analyte"] for result in lab.results() for measured in result["results"]}


def test_measurements_of_the_workflow_have_the_lims_s_names_also_after_a_change(lab: Lab, file: Path) -> None:
    known = lab.credentials
    user = {"username": known.framework_username, "password": known.framework_password}
    with FrameworkClient(lab.framework_url, **user) as framework:
        for names, expected in ((None, "Pmax"), (PRINTED, "MaxPower_W"), (PRINTED, "MaxPower_W")):
            if names:
                file.write_text(names.lstrip(), encoding="utf-8")
            with lims_of(lab) as lims:
                run(create_samples(framework, lims, [1])).raise_for_waiting()
                report = run(upload_results(framework, lims, [1]))
                report.raise_for_waiting()
            assert expected in analytes(lab)
        assert report.counts()["unchanged"] == report.total()


def test_values_are_converted_with_their_uncertainty_or_refused(lab: Lab, file: Path) -> None:
    file.write_text(PRINTED.lstrip(), encoding="utf-8")
    power = {"analyte": "Pmax", "value": 0.4, "unit": "kW", "uncertainty": 0.002, "status": "PASS"}
    share = {"analyte": "Fill_Factor", "value": 0.78, "unit": "fraction", "status": "PASS"}
    other = {"analyte": "Voc", "value": 49.2, "unit": "V", "status": "PASS"}
    about = {"test_id": "PVTP-001", "test_name": "STC", "test_date": "2025-11-12T14:30:00Z", "operator": "Ada"}
    with lims_of(lab) as lims:
        sample = lims.create_sample("SN9", project_id="SR-9", customer="Helios")["id"]
        made = lims.upload_results(sample, {**about, "results": [power, share, other]})
        wrong = {**about, "sample_id": sample, "execution_id": "7", "results": [{**power, "unit": "V"}]}
        (refused,) = lims.upload_result_sets([wrong]).outcomes
    kept = {measured["analyte"]: measured for measured in lab.results()[0]["results"]}
    assert made["id"]
    assert (kept["MaxPower_W"]["value"], kept["MaxPower_W"]["unit"], kept["MaxPower_W"]["uncertainty"]) == (400, "W", 2)
    assert (kept["FillFactor_Percent"]["value"], kept["Voc"]["value"]) == (78, 49.2)
    assert (refused.result.value, refused.code) == ("quarantined", "UNIT_MISMATCH")
    assert refused.reason.startswith("Pmax: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "lims_mapping: {service_request: {sr_number: ProjectID}}",
            ":1: lims_mapping.service_request: does nothing here",
        ),
        ("qms_mapping: {measurements: {Pmax: A}}", "what the QMS calls its fields is said by the maps of its contract"),
        ("lims_mapping: {measurements: {Pmax: A, Voc: A}}", "measurements.Voc: has the same name in the LIMS as Pmax"),
        ("lims_mapping: {measurements: {Pmax: {to: A, type: integer}}}", "measurements.Pmax: takes only to and unit"),
    ],
)
def test_what_would_do_nothing_is_refused(
    file: Path, lab: Lab, capsys: pytest.CaptureFixture[str], text: str, expected: str
) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        lims_of(lab)
    assert expected in str(caught.value)
    assert main(["check", "--offline"]) == 1
    assert expected in capsys.readouterr().out


def test_the_guide_s_whole_file_is_refused_for_its_fields_only(file: Path) -> None:
    whole = project_root() / "include" / "mappings" / "field_mappings.yaml"
    with pytest.raises(ConfigError) as caught:
        Renaming.read(whole)
    assert str(caught.value).count("does nothing here") == 1


def test_check_says_how_many_are_renamed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(PRINTED.lstrip(), encoding="utf-8")
    main(["check", "--offline"])
    assert f"ok      {file}: 3 measurements have other names in the LIMS" in capsys.readouterr().out
