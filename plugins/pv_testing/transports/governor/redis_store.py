"""Keeps the timetables of shared limits in Redis, where hosts share one and the ledger should have less to do."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from pv_testing.core import clock
from pv_testing.core.errors import ConfigError, NetworkError
from pv_testing.core.reasons import Reason
from pv_testing.transports.governor.kept import read
from pv_testing.transports.governor.timetable_store import Leased

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

    from pv_testing.transports.governor.timetable_store import Change

TRIES = 200
"""How often a change is begun anew because another process was faster."""
KEPT_SECONDS = 2 * 86_400
"""For how long a timetable is kept that no process changes; it counts the requests of a day."""
TIMEOUT = 5.0
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class RedisTimetables:
    """Timetables in Redis; of type :class:`~pv_testing.transports.governor.TimetableStore`.

    A change is an optimistic transaction: it is begun anew where another process has changed the timetable meanwhile.

    Args:
        url: such as ``rediss://:password@redis.company.com:6380/0``.

    Raises:
        ConfigError: the address is none of a Redis, or leads without TLS to another machine.
    """

    def __init__(self, url: str) -> None:
        from redis import Redis

        try:
            _refuse_unsafe(url)
            self._redis: Redis = Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)
        except ValueError:  # which names parts of the address, perhaps of its password
            message = "shared_limit.redis_url is no address of a Redis; write special characters of a password as %XX"
            raise ConfigError(message, code=Reason.CONFIG) from None

    def change(self, system: str, change: Change) -> Leased:
        """Change a system's timetable in one transaction."""
        from redis.exceptions import RedisError, WatchError

        try:
            with self._redis.pipeline() as pipe:
                for attempt in range(TRIES):
                    try:
                        return _change(pipe, system, change)
                    except WatchError:
                        time.sleep(random.uniform(0, 0.001 * min(attempt + 1, 20)))  # noqa: S311 - spreads load
        except RedisError as error:
            message = f"the Redis of the shared limit can't be used ({type(error).__name__}); nothing was sent"
            raise NetworkError(message, system=system) from error
        raise NetworkError("the Redis of the shared limit is too busy; nothing was sent", system=system)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


def _change(pipe: Pipeline, system: str, change: Change) -> Leased:
    key = f"pv_testing:timetable:{system}"
    pipe.watch(key)  # type: ignore[no-untyped-call]
    kept: Any = pipe.get(key)
    seconds, micros = pipe.time()
    read_at, now = clock.seconds(), seconds + micros / 1e6
    state, grant = change(read(system, kept or b"{}", now), now)
    pipe.multi()
    pipe.set(key, orjson.dumps(state), ex=KEPT_SECONDS)
    pipe.execute()
    return Leased(grant, now, read_at)


def _refuse_unsafe(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss"} or parts.query:
        message = "shared_limit.redis_url must be like rediss://redis.company.com:6380/0, without options"
        raise ConfigError(message, code=Reason.CONFIG)
    if parts.scheme == "redis" and parts.hostname not in LOCAL:
        message = "shared_limit.redis_url leads without TLS to another machine; write rediss://"
        raise ConfigError(message, code=Reason.CONFIG)
