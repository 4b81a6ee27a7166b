"""``python -m pv_testing``: ``check --try``, ``show`` and ``new-contract``, what each prints, writes and returns."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pv_testing.cli.main import main
from pv_testing.contracts import load_contract
from pv_testing.testing import replayed
from tests import yaml_text
from tests.conformance import broken_provider, faulty_lims
from tests.docs.pages import PROJECT


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Give a function that configures a LIMS with a contract that can delete samples."""

    def configure(lims: faulty_lims.FaultyLims) -> Path:
        def change(content) -> None:
            content["operations"]["delete_sample"] = {"method": "DELETE", "path": "/samples/{sample_id}"}

        contract = faulty_lims.contract(tmp_path, change)
        path = tmp_path / "integrations.yaml"
        section = {"base_url": lims.url, "contract": str(contract), "api_key": "${FAULTY_KEY}"}
        path.write_text(yaml_text.dump({"lims": section}))
        monkeypatch.setenv("FAULTY_KEY", faulty_lims.KEY)
        monkeypatch.setenv("PV_CONFIG", str(path))
        monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
        return path

    return configure


def test_a_sound_contract_ends_with_0_and_its_samples_are_deleted(
    configured, capsys: pytest.CaptureFixture[str]
) -> None:
    with faulty_lims.serve() as lims:
        configured(lims)
        assert main(["check", "--try", "lims", "--patience", "1"]) == 0
    output = capsys.readouterr().out
    assert f"trying  lims: writes marked records into {lims.url}" in output
    assert "ok      limits.horizon: 0.2 s is long enough" in output
    assert "ok      operations.delete_sample: " in output
    assert "FAILED" not in output
    assert lims.samples == []
    assert all(result["external_id"] for result in lims.results)


def test_a_fault_ends_with_1_and_is_printed_with_its_request(configured, capsys: pytest.CaptureFixture[str]) -> None:
    with faulty_lims.serve("find ignores its filter") as lims:
        configured(lims)
        assert main(["check", "--try", "lims", "--patience", "1"]) == 1
    output = capsys.readouterr().out
    failed = output[output.index("FAILED  operations.create_sample.find: ") :].splitlines()
    assert failed[1].startswith("        request POST /api/samples")
    assert failed[2].startswith("        answer  20")
    assert faulty_lims.KEY not in output


def test_what_is_not_there_is_named(configured, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with faulty_lims.serve() as lims:
        configured(lims)
        assert main(["check", "--try", "limms"]) == 2
        assert "did you mean 'lims'?" in capsys.readouterr().err
        records = tmp_path / "records.yaml"
        records.write_text("sampel: {customer_name: Helios}\n")
        assert main(["check", "--try", "lims", "--records", str(records)]) == 2
        assert "did you mean 'sample'?" in capsys.readouterr().err
    assert lims.samples == []


@pytest.mark.parametrize(("answer", "status"), [("no", 1), ("yes", 0)])
def test_a_person_at_the_terminal_is_asked_first(configured, answer: str, status: int) -> None:
    with faulty_lims.serve() as lims:
        configured(lims)
        environment = {**os.environ, "PYTHONPATH": f"{PROJECT / 'plugins'}:{PROJECT}"}
        terminal, end = os.openpty()
        os.write(terminal, f"{answer}\n".encode())
        command = [sys.executable, "-m", "pv_testing", "check", "--try", "lims", "--patience", "1"]
        ended = subprocess.run(command, stdin=end, env=environment, capture_output=True, text=True, check=False)
        os.close(terminal)
        os.close(end)
        assert bool(lims.born) == (answer == "yes")
    assert "are these test systems?" in ended.stdout
    assert ended.returncode == status


def test_records_say_what_the_site_says(configured, tmp_path: Path) -> None:
    records = tmp_path / "records.yaml"
    records.write_text("result: {operator_name: Ada Volt}\n")
    with faulty_lims.serve() as lims:
        configured(lims)
        assert main(["check", "--try", "lims", "--records", str(records), "--patience", "1"]) == 0
    assert {result["operator"] for result in lims.results} == {"Ada Volt"}


def test_show_prints_mapping_and_requests_and_sends_nothing(configured, tmp_path: Path, capsys) -> None:
    record = tmp_path / "record.yaml"
    record.write_text("customer_name: Helios\n")
    with faulty_lims.serve() as lims:
        configured(lims)
        assert main(["show", "create_sample", "--system", "lims", "--record", str(record)]) == 0
        assert lims.born == {}
    output = capsys.readouterr().out
    assert 'customer_name = "Helios" -> customer' in output
    assert "POST /samples/search" in output
    assert "PATCH /samples/%3Cid%3E" in output
    (line,) = [line for line in output.splitlines() if "serial_number = " in line]
    assert " | " in line


def test_show_names_the_operations_that_there_are(configured, capsys) -> None:
    assert main(["show", "create_sampel", "--system", "lims", "--contract", "lims_custom"]) == 2
    assert "did you mean 'create_sample'?" in capsys.readouterr().err
    assert main(["show", "get_samples", "--system", "lims", "--contract", "lims_custom"]) == 2
    assert "carries no records" in capsys.readouterr().err


@pytest.mark.parametrize("system", ["lims", "qms", "pm", "erp"])
def test_a_new_contract_passes_its_own_test(system: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = ["--contracts", str(tmp_path / "mappings"), "--tests", str(tmp_path / "tests")]
    arguments = ["new-contract", "--system", system, "--provider", "SunLab", *folders]
    assert main(arguments) == 0
    contract = tmp_path / "mappings" / f"{system}_sunlab.yaml"
    assert load_contract(contract).provider == "SunLab"
    exchange = tmp_path / "tests" / f"{system}_sunlab.exchange.json"
    assert replayed(contract, exchange) == []
    assert main(arguments) == 2
    assert "is there already and isn't overwritten" in capsys.readouterr().err


def test_a_new_contract_says_that_its_horizon_is_to_be_measured(tmp_path: Path) -> None:
    assert main(["new-contract", "--system", "lims", "--provider", "SunLab", "--contracts", str(tmp_path),
                 "--tests", str(tmp_path)]) == 0  # fmt: skip
    (line,) = (each for each in (tmp_path / "lims_sunlab.yaml").read_text().splitlines() if "horizon:" in each)
    assert "measure it with `check --try`" in line


def test_the_test_of_a_new_contract_runs(tmp_path: Path) -> None:
    folders = ["--contracts", str(tmp_path / "mappings"), "--tests", str(tmp_path)]
    assert main(["new-contract", "--system", "lims", "--provider", "SunLab", *folders]) == 0
    environment = {**os.environ, "PYTHONPATH": f"{PROJECT / 'plugins'}:{PROJECT}"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_lims_sunlab.py"]
    with faulty_lims.serve() as lims:
        environment |= {"SUNLAB_URL": lims.url, "SUNLAB_API_KEY": faulty_lims.KEY}
        ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "13 passed" in ended.stdout, ended.stdout
    assert ended.returncode == 0


def test_a_recorded_exchange_shows_what_differs(tmp_path: Path) -> None:
    folders = ["--contracts", str(tmp_path), "--tests", str(tmp_path)]
    assert main(["new-contract", "--system", "lims", "--provider", "SunLab", *folders]) == 0
    exchange = tmp_path / "lims_sunlab.exchange.json"
    scenes = json.loads(exchange.read_text())
    scenes[0]["request"]["body"]["customer"] = "Somebody else"
    scenes[0]["look_up"]["answer"]["body"] = {"data": []}
    exchange.write_text(json.dumps(scenes))
    first, second = replayed(tmp_path / "lims_sunlab.yaml", exchange)
    assert first.startswith("create_sample: sends body {")
    assert "isn't found in the recorded answer" in second


@pytest.mark.parametrize(
    ("where", "key"),
    [
        ("identity", "identity"),
        ("operation", "operations.create_sample"),
        ("prepare", "operations.create_sample"),
        ("send", "operations.create_sample"),
        ("find", "operations.create_sample"),
        ("call", "operations"),
    ],
)
def test_a_fault_in_the_code_of_a_provider_is_a_failed_check(
    configured, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, where: str, key: str
) -> None:
    output = tried_with_a_fault(configured, capsys, monkeypatch, where)
    fault = "the provider BrokenProvider ends in KeyError: 'rows' ("
    assert f"FAILED  {key}: {fault}" in output
    assert all(f"{broken_provider.__file__}:" in line for line in output.splitlines() if fault in line)
    assert re.search(r"^lims: \d+ hold, \d+ don't, \d+ could not be tried$", output, re.MULTILINE)
    assert "Traceback" not in output


def test_a_provider_that_cannot_be_made_is_named(configured, capsys, monkeypatch) -> None:
    output = tried_with_a_fault(configured, capsys, monkeypatch, "__init__")
    assert "FAILED  lims: lims: the provider BrokenProvider ends in KeyError: 'rows' (" in output


def tried_with_a_fault(configured, capsys, monkeypatch, where: str) -> str:
    monkeypatch.setattr(broken_provider.BrokenProvider, "where", where)
    with faulty_lims.serve() as lims:
        path = configured(lims)
        content = yaml_text.read(path)
        content["lims"]["provider_class"] = "tests.conformance.broken_provider:BrokenProvider"
        path.write_text(yaml_text.dump(content))
        assert main(["check", "--offline", "--try", "lims", "--patience", "1"]) == 1
    printed = capsys.readouterr()
    return str(printed.out + printed.err)


def test_a_reader_that_goes_away_ends_the_command_quietly(configured) -> None:
    with faulty_lims.serve() as lims:
        configured(lims)
        command = f"{sys.executable} -m pv_testing show create_sample --system lims | true"
        environment = {**os.environ, "PYTHONPATH": f"{PROJECT / 'plugins'}:{PROJECT}"}
        shell = ["bash", "-c", f"{command}; echo ${{PIPESTATUS[0]}}"]
        ended = subprocess.run(shell, env=environment, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("141\n", "")
