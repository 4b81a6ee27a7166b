"""``python -m pv_testing``: what each command says and returns, with a running framework, LIMS and ledger."""

from __future__ import annotations

import os
import pwd
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pv_testing.cli.main import main
from pv_testing.core.places import project_root
from pv_testing.core.records import Result
from pv_testing.integrations.addresses import notice
from pv_testing.ledger import Claim, Decision, Ledger, Refusal, Settlement
from sandbox import Lab, serve

CONFIGURATION = """
framework:
  base_url: {lab.framework_url}
  auth_type: jwt
  username: {lab.credentials.framework_username}
  password: {lab.credentials.framework_password}
lims:
  base_url: {lab.lims_url}
  api_key: ${{LIMS_API_KEY}}
qms: {{enabled: false}}
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with serve() as running:
        yield running


@pytest.fixture
def configuration(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "integrations.yaml"
    path.write_text(CONFIGURATION.format(lab=lab))
    monkeypatch.setenv("LIMS_API_KEY", lab.credentials.lims_api_key)
    monkeypatch.setenv("PV_CONFIG", str(path))
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    return path


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(f"sqlite:///{tmp_path}/pv_ledger.sqlite") as opened:
        yield opened


def test_check_asks_each_system_who_we_are(configuration: Path, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    who = [line.rpartition("; ")[2] for line in lines if line.startswith("ok      system ")]
    assert f"{lab.lims_url} knows us as api-key" in who
    assert f"{lab.framework_url} knows us as integration" in who
    assert "skipped system qms: is disabled" in lines
    assert any(line.startswith("ok      contract lims_custom: ") for line in lines)


def test_check_finds_an_option_that_nobody_reads_without_asking_a_system(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration.write_text(configuration.read_text().replace("lims:\n", "lims:\n  options: {client: Roof & Co}\n"))
    assert main(["check", "--offline"]) == 1
    (failed,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAILED")]
    assert failed.startswith("FAILED  system lims: ")
    assert "unknown option 'client'" in failed


def test_check_fails_for_wrong_credentials_and_goes_on(
    configuration: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIMS_API_KEY", "wrong-key")
    assert main(["check", "--config", str(configuration)]) == 1
    output = capsys.readouterr().out
    assert "FAILED  system lims: " in output
    assert "AUTHENTICATION" in output
    assert "ok      system framework: " in output
    assert "wrong-key" not in output


def test_check_offline_calls_no_system(configuration: Path, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    before = len(lab.requests("lims")) + len(lab.requests("framework"))
    assert main(["check", "--offline"]) == 0
    assert len(lab.requests("lims")) + len(lab.requests("framework")) == before
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("ok      system lims: ")]
    assert "by contract lims_custom" in line
    assert line.endswith(f"; {lab.lims_url}")


def test_check_leaves_no_ledger(configuration: Path, tmp_path: Path) -> None:
    assert main(["check"]) == 0
    assert list(tmp_path.iterdir()) == [configuration]


def test_check_says_whether_a_connection_is_needed(
    configuration: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration.write_text(configuration.read_text().replace("lims:\n", "lims:\n  connection: pv_lims\n"))
    assert main(["check", "--offline"]) == 0
    line = f"ok      system lims: contract lims_custom, {lab.lims_url}; the file says everything, no Airflow connection"
    assert line in capsys.readouterr().out
    monkeypatch.delenv("LIMS_API_KEY")
    assert main(["check", "--offline"]) == 0
    lacking = "needs the Airflow connection pv_lims, because the file and its variables lack api_key"
    assert f"ok      system lims: contract lims_custom, {lacking}\n" in capsys.readouterr().out
    assert main(["check"]) == 1
    out = capsys.readouterr().out
    assert "lims.api_key: the environment variable LIMS_API_KEY isn't set" in out
    assert "or create the Airflow connection pv_lims and try it by the Test button of its form" in out


def test_check_finds_a_provider_that_no_contract_is_there_for(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    section = "lims:\n  connection: pv_lims\n  provider: Heliox\n"
    configuration.write_text(configuration.read_text().replace("lims:\n", section))
    for arguments in (["check", "--offline"], ["check"]):
        assert main(arguments) == 1
        assert "lims.provider: there is no contract for the product 'Heliox'" in capsys.readouterr().out


def test_check_says_what_is_wrong_with_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("lims:\n  base_ulr: https://x\n  contract: lims_custm\n")
    assert main(["check", "--offline", "--config", str(path)]) == 1
    assert "wrong.yaml:2: lims.base_ulr: unknown key; did you mean 'base_url'?" in capsys.readouterr().out
    path.write_text("lims: {base_url: 'https://x', api_key: k, contract: lims_custm}\n")
    assert main(["check", "--offline", "--config", str(path)]) == 1
    assert "FAILED  system lims: " in (output := capsys.readouterr().out)
    assert "did you mean 'lims_custom'?" in output


def test_check_warns_of_a_ledger_whose_records_went_elsewhere_until_the_system_is_said_to_have_moved(
    configuration: Path, ledger: Ledger, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--offline"]) == 0
    assert "WARNING" not in capsys.readouterr().out
    notice(ledger, "lims", "https://lims-test.company.com/api/", keep=True)
    for arguments in (["check"], ["check", "--offline"]):
        assert main(arguments) == 0
        (warning,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("WARNING")]
        assert warning.startswith("WARNING system lims: the records of this ledger were carried to https://lims-test.")
        assert warning.endswith(f"python -m pv_testing moved lims {lab.lims_url}")
    assert main(["moved", "lims", lab.lims_url]) == 0
    assert f"lims is at {lab.lims_url} now" in capsys.readouterr().out
    assert main(["check"]) == 0
    assert "WARNING" not in capsys.readouterr().out
    (event,) = ledger.events()
    assert event.detail == {"from": "https://lims-test.company.com/api", "to": lab.lims_url}
    assert ledger.verify().count == 1


def test_check_reads_the_rules_beside_the_configuration_and_warns_of_open_approvals(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = configuration.parent
    capa = folder / "capa.yaml"
    shipped = (project_root() / "config" / "capa.yaml").read_text(encoding="utf-8")
    capa.write_text(shipped, encoding="utf-8")
    assert main(["check", "--offline"]) == 0
    assert f"ok      {capa}: can be read; approvers is empty: anyone who may edit" in capsys.readouterr().out
    capa.write_text(shipped.replace("required: true", "required: false", 1), encoding="utf-8")
    assert main(["check", "--offline"]) == 0
    assert f"ok      {capa}: can be read; CAPAs are raised without asking anyone" in capsys.readouterr().out
    (folder / "quality.yaml").write_text("severty: {}\n", encoding="utf-8")
    (folder / "field_mappings.yaml").write_text("lims: 7\n", encoding="utf-8")
    assert main(["check", "--offline"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"FAILED  {folder / 'quality.yaml'}: ") and "severty" in line for line in lines)
    assert any(line.startswith(f"FAILED  {folder / 'field_mappings.yaml'}: ") for line in lines)


def test_verify_audit_tells_a_whole_trail_from_a_broken_one(
    configuration: Path, ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.record("sweep")
    ledger.record("sweep")
    assert main(["verify-audit"]) == 0
    assert capsys.readouterr().out.startswith("WHOLE")
    file = tmp_path / "pv_ledger.sqlite"
    with sqlite3.connect(file) as database:
        triggers = database.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        table = next(table for _, table in triggers if "audit" in table)
        database.execute(f"UPDATE {table} SET action = 'nothing' WHERE sequence = 1")
    assert main(["verify-audit", "--ledger", f"sqlite:///{file}"]) == 1
    assert capsys.readouterr().out.startswith("BROKEN")


def test_what_an_attempt_holds_is_listed_as_in_flight_until_its_lease_has_ended(
    configuration: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    claims = [Claim(f"SR-1/SN{number}", "f" * 64) for number in range(3)]
    ledger.claim("lims", "sample", claims, owner="pv_intake/killed", lease=60)
    ledger.claim("lims", "result", [Claim("5678", "e" * 64)], owner="pv_results/killed", lease=0)
    assert main(["waiting"]) == 0
    interrupted, held, summary = capsys.readouterr().out.splitlines()
    assert interrupted.startswith("in_flight    lims result 5678  ")
    assert interrupted.endswith("[INTERRUPTED]")
    assert held.startswith("in_flight    lims sample: 3 held until 20")
    assert held.endswith(" by pv_intake/killed")
    assert summary == "1 records wait for a person"
    assert main(["waiting", "--system", "erp"]) == 0
    assert capsys.readouterr().out == "nothing waits for a person\n"


def test_waiting_records_are_listed_and_released(
    configuration: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["waiting"]) == 0
    assert capsys.readouterr().out == "nothing waits for a person\n"
    (claimed,) = ledger.claim("lims", "sample", [Claim("SR-1/SN1", "f" * 64)], owner="test", lease=60)
    rejected = Settlement(claimed, Result.REJECTED, code="VALIDATION_ERROR", reason="customer is too long")
    ledger.settle([rejected], owner="test")
    ledger.quarantine("lims", "result", [Refusal("5678", "e" * 64, "UNIT_MISSING", "Pmax has no unit")], owner="test")
    assert main(["waiting"]) == 0
    output = capsys.readouterr().out
    assert "rejected     lims sample SR-1/SN1  customer is too long [VALIDATION_ERROR]" in output
    assert "quarantined  lims result 5678  Pmax has no unit [UNIT_MISSING]" in output
    assert output.endswith("2 records wait for a person\n")
    assert main(["waiting", "--system", "erp"]) == 0
    assert capsys.readouterr().out == "nothing waits for a person\n"
    assert main(["release", "--system", "lims", "--kind", "sample", "SR-1/SN1"]) == 0
    assert main(["release", "--system", "lims", "--kind", "sample", "SR-1/SN1"]) == 1
    assert [entry.key for entry in ledger.waiting()] == ["5678"]


def test_a_record_that_a_person_has_seen_in_the_system_is_confirmed_and_never_sent(
    configuration: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = Claim("SR-1/SN1", "f" * 64)
    (claimed,) = ledger.claim("lims", "sample", [claim], owner="test", lease=60)
    lost = Settlement(claimed, Result.QUARANTINED, code="NO_LOOKUP", reason="the system offers no look-up")
    ledger.settle([lost], owner="test")
    assert main(["confirm", "--system", "lims", "--kind", "sample", "SR-1/SN1", "LIM-000123"]) == 0
    assert "nothing will be sent" in capsys.readouterr().out
    (again,) = ledger.claim("lims", "sample", [claim], owner="test", lease=60)
    assert (again.decision, again.external_id) == (Decision.UNCHANGED, "LIM-000123")
    assert main(["confirm", "--system", "lims", "--kind", "sample", "SR-1/SN1", "LIM-000123"]) == 2


def test_a_ledger_that_can_not_be_opened_is_said_and_not_thrown(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["waiting", "--ledger", "sqlite:////nonexistent/folder/ledger.sqlite"]) == 2
    assert capsys.readouterr().err.startswith("FAILED  ")


def test_help_is_there_for_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["check", "--help"], ["verify-audit", "-h"], ["waiting", "-h"], ["release", "-h"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
        assert "usage: python -m pv_testing" in capsys.readouterr().out


def test_a_pause_is_listed_and_lifted_by_name(
    configuration: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["pauses"]) == 0
    assert capsys.readouterr().out == "no system wants to be left alone\n"
    until = ledger.now() + 86_000
    ledger.pause("lims", until)
    ledger.pause("qms", ledger.now() - 1)
    assert main(["pauses"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("lims         until 20")
    monkeypatch.setenv("LOGNAME", "somebody else")
    assert main(["resume", "lims"]) == 0
    assert capsys.readouterr().out.startswith("lims is asked again; it was to be left alone until 20")
    assert ledger.paused_until("lims") == 0.0
    (event,) = ledger.events()
    assert (event.action, event.system, event.owner) == ("resume", "lims", pwd.getpwuid(os.getuid()).pw_name)
    assert event.detail == {"paused_until": until}
    assert main(["resume", "lims"]) == 1
    assert "isn't paused" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["check --offline", "new-contract --system lims --provider New", "waiting"])
def test_an_interpreter_without_the_packages_is_told_in_one_line(tmp_path: Path, command: str) -> None:
    environment = {"PYTHONPATH": str(project_root() / "plugins"), "AIRFLOW_HOME": str(tmp_path)}
    process = subprocess.run(
        [sys.executable, "-S", "-m", "pv_testing", *command.split()],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (line,) = process.stderr.splitlines()
    assert process.returncode == 2
    assert line.startswith(f"FAILED  {sys.executable} has no package ")
    assert "use .venv/bin/python, which `make venv` makes" in line
