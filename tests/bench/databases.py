"""Servers that a benchmark may use where they answer."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import psycopg

POSTGRESQL = os.environ.get("PV_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("PV_TEST_REDIS", "redis://127.0.0.1:6379") + "/7"


@contextlib.contextmanager
def own_schema() -> Iterator[str]:
    """Give the URL of an empty schema, and drop it at the end; an empty text where no server answers."""
    try:
        connection = psycopg.connect(POSTGRESQL, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        yield ""
        return
    name = f"pv_bench_{os.getpid()}"
    connection.execute(f"CREATE SCHEMA {name}")
    try:
        yield f"{POSTGRESQL}?options=-csearch_path%3D{name}"
    finally:
        connection.execute(f"DROP SCHEMA {name} CASCADE")
        connection.close()
