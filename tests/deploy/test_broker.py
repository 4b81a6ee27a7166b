"""The broker's queue is emptied, also where an earlier attack has only just killed the broker."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from cluster import servers
from cluster.attack import QUEUE, Attack
from cluster.nodes import Nodes
from demo.processes import DemoError, free_port

redis = pytest.importorskip("redis", reason="the packages of `make cluster` aren't installed")
PASSWORD = "a-password"


def there() -> bool:
    try:
        servers.redis_program()
    except DemoError:
        return False
    return True


@pytest.mark.skipif(not there(), reason="there is no Redis and no Valkey here")
def test_the_queue_is_emptied_as_soon_as_a_killed_broker_is_there_again(tmp_path: Path) -> None:
    port = free_port(19379)
    broker = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    with Nodes(tmp_path) as nodes:
        node = servers.start_redis(nodes, tmp_path / "redis.conf", port, PASSWORD)
        while not servers.redis_answers(broker):
            time.sleep(0.05)
        attack = Attack(SimpleNamespace(broker=broker, nodes=nodes), 1, 1, lambda: 99)  # type: ignore[arg-type]
        with redis.Redis.from_url(broker) as client:
            client.rpush(QUEUE, "one", "two")
            client.hset("unacked", "tag", "three")
        assert "2 tasks waited in it, 3 messages are lost" in attack._purge()
        with redis.Redis.from_url(broker) as client:
            assert client.keys() == []
        node.kill(down=1.0)
        attack.cluster.nodes._leaving.wait(0.2)
        from cluster import attack as module

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "MOMENT_SECONDS", 5.0)
            assert "0 messages are lost" in attack._purge()
