"""Prints how long each DAG file takes to import after Airflow's SDK, and what it imports; each in its own process.

``of_sdk`` compares that with the import of the SDK itself, as machines differ in speed.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time

_began = time.perf_counter()

from airflow.sdk import DAG, Asset, BaseHook, BaseOperator, BaseOperatorLink, Param, RetryPolicy  # noqa: E402, F401

SDK_SECONDS = time.perf_counter() - _began

import tests.dags.probes.offline  # noqa: E402, F401 - before a DAG file is imported

TRIES = 3


def measure(module: str) -> dict[str, object]:
    """Import a module in a fork of this process and return what that cost."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        before = set(sys.modules)
        started = time.perf_counter()
        importlib.import_module(module)
        seconds = time.perf_counter() - started
        of_sdk = seconds / SDK_SECONDS
        with os.fdopen(writable, "w") as answer:
            json.dump({"seconds": seconds, "of_sdk": of_sdk, "imported": sorted(set(sys.modules) - before)}, answer)
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return dict(json.loads(text))


print(json.dumps({module: [measure(module) for _ in range(TRIES)] for module in sys.argv[1:]}))
