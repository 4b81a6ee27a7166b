"""``python -m sandbox`` starts, says so on one line, stops on a signal, and shares no code with the product."""

from __future__ import annotations

import ast
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox import spawn

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sandbox", *arguments]


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    process = subprocess.Popen(command(*arguments), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_starts_and_stops(tmp_path: Path, anyone: Any, number: signal.Signals) -> None:
    with started("--data", str(tmp_path), "--seed-on-start", "--modules", "3") as (process, report):
        body = {"username": report["framework_username"], "password": report["framework_password"]}
        token = anyone(report["framework_url"]).post("/auth/login", json=body).json()["access_token"]
        framework = anyone(report["framework_url"], {"Authorization": f"Bearer {token}"})
        assert framework.get("/service-requests/1").json()["module"]["quantity"] == 3
        assert anyone(report["lims_url"], {"X-API-Key": report["lims_api_key"]}).get("/me").status_code == 200
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
        assert (process.returncode, errors) == (0, "")
    assert not list(tmp_path.glob("*-wal")), "the databases are closed"


def test_what_is_there_stays_when_it_is_started_again(tmp_path: Path, anyone: Any) -> None:
    reports = []
    for _ in range(2):
        with started("serve", "--data", str(tmp_path), "--seed-on-start") as (_, line):
            reports.append(line)
            lims = anyone(line["lims_url"], {"X-API-Key": reports[0]["lims_api_key"]})
            sample = {"external_id": "a", "sample_type": "PV Module", "project_id": "SR-2025-0001", "customer": "c"}
            assert lims.post("/samples", json=sample).status_code == 201
    lines = subprocess.run(
        command("table", "--json", "--data", str(tmp_path)), cwd=ROOT, capture_output=True, check=True
    )
    (row,) = json.loads(lines.stdout)
    assert (row["service_request"], row["modules"], row["samples"], row["twice"]) == ("SR-2025-0001", 12, 2, 1)
    assert row["lims_status"] == "2 Pending Receipt"
    text = subprocess.run(
        command("table", "--data", str(tmp_path)), cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert text.stdout.splitlines()[0].startswith("service request")
    assert (tmp_path / "credentials.json").stat().st_mode & 0o077 == 0


def test_a_taken_port_is_said_plainly(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        completed = subprocess.run(
            command("--data", str(tmp_path), "--lims-port", port), cwd=ROOT, capture_output=True, check=False, text=True
        )
    assert completed.returncode == 1
    assert port in completed.stderr
    assert "Traceback" not in completed.stderr


def test_it_knows_nothing_of_the_product() -> None:
    for path in (ROOT / "sandbox").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] not in {"pv_testing", "hooks", "operators", "airflow"}, path


def test_a_spawned_sandbox_is_a_process_of_its_own(tmp_path: Path, anyone: Any) -> None:
    with spawn(tmp_path, "--seed-on-start", "--modules", "1", "--protocols", "2") as lab:
        assert anyone(lab.lims_url, {"X-API-Key": lab.credentials.lims_api_key}).get("/me").status_code == 200
        assert lab.run_executions() == 2
        assert {each["status"] for each in lab.executions()} == {"COMPLETE"}
    with pytest.raises(OSError, match="refused"):
        lab.requests("lims")
    with pytest.raises(RuntimeError, match="status 2"), spawn(tmp_path, "--nonsense"):
        pass


def test_no_process_is_left(tmp_path: Path) -> None:
    with started("--data", str(tmp_path)) as (process, report):
        assert process.pid == report["pid"]
        process.terminate()
        process.wait(10)
    with pytest.raises(ProcessLookupError):
        os.kill(report["pid"], 0)
