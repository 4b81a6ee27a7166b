"""The launcher starts components in process groups of their own, notices one that dies, and leaves nothing behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo import airflow
from demo.processes import GRACE, Component, Components, DemoError, free_port

POLITE = "import time; print('ready', flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); " + POLITE
PARENT = (
    "import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    "print(child.pid, flush=True); time.sleep(60)"
)


@pytest.fixture
def components(tmp_path: Path) -> Components:
    return Components(tmp_path / "logs")


def start(components: Components, code: str) -> Component:
    component = components.start("worker", [sys.executable, "-c", code], os.environ, Path.cwd())
    components.wait_for("the first line", lambda: component.log.read_text() or None, seconds=20)
    return component


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid: int) -> bool:
    """Whether a process is gone within ten seconds: a killed one still needs a processor to end."""
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)


def test_a_component_leads_its_own_group_and_its_children_go_with_it(components: Components) -> None:
    with components:
        component = start(components, PARENT)
        child = int(component.log.read_text())
        assert os.getpgid(child) == component.process.pid != os.getpgid(0)
    assert component.ended()
    assert ends(child)


def test_one_that_ignores_a_polite_request_is_stopped_all_the_same(
    components: Components, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.processes.GRACE", tuple((number, 0.3) for number, _ in GRACE))
    with components:
        component = start(components, STUBBORN)
    assert component.ended()


def test_one_that_dies_is_named_with_its_last_words(components: Components) -> None:
    with components:
        start(components, "print('no database', flush=True); raise SystemExit(3)").process.wait(20)
        with pytest.raises(DemoError, match=r"(?s)worker ended by itself with exit code 3.*worker\.log.*no database"):
            components.wait_for("nothing", lambda: None, seconds=20)


def test_what_takes_too_long_is_told_with_the_logs(components: Components) -> None:
    with components:
        start(components, POLITE)
        with pytest.raises(DemoError, match=r"(?s)The wonder took longer than 0 s.*ready"):
            components.wait_for("The wonder", lambda: None, seconds=0.2)


def test_a_taken_port_is_stepped_over_or_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port
        with pytest.raises(DemoError, match=str(port)):
            free_port(port, fixed=True)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names of sockets that are no files")
def test_a_port_is_given_to_one_demo_only_before_anything_listens_there() -> None:
    first = free_port(18480)
    code = "from demo.processes import free_port; print(free_port(18480))"
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert int(other.stdout) > first


def test_nothing_of_the_callers_own_airflow_leaks_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "SequentialExecutor")
    monkeypatch.setenv("AIRFLOW_CONN_PV_LIMS", "http://production.example")
    monkeypatch.setenv("LIMS_API_KEY", "production-key")
    variables = airflow.environment(airflow.AirflowSetting(tmp_path / "home", 8080, {}))
    assert variables["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert "production" not in str(variables)
    paths = [value for name, value in variables.items() if name.startswith("AIRFLOW") and str(tmp_path) in value]
    assert len(paths) == 3


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    first = airflow.secret(tmp_path, "jwt_secret")
    assert airflow.secret(tmp_path, "jwt_secret") == first
    assert len(first) >= 64
    assert (tmp_path / "jwt_secret").stat().st_mode & 0o777 == 0o600
