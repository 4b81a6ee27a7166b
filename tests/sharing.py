"""Shares the tests among the processes of pytest-xdist: a file as a whole, but for three kinds of files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from zlib import crc32

import pytest
from xdist.scheduler import LoadScopeScheduling

AIRFLOW = re.compile(r"tests/airflow/running/test_\w+\.py")
"""Files that share one running Airflow."""
BY_PARAMETER = re.compile(r"(tests/products/test_whole_request\.py)::.*\[(.*)\]|(tests/live/[^:]*)::.*\[.*(redmine-\d)")
"""Files whose tests share what is made for a parameter: each of its values may go to another process."""
SINGLE = re.compile(r"tests/(?:chaos/test_|integration/test_killed_workers|conformance/test_planted_faults).*")
"""Files whose tests share nothing and take long: each test may go to another process."""

WAITING = (
    *("airflow/running/", "airflow/test_lineage", "airflow/test_carry_records", "airflow/test_request_locks"),
    *("airflow/test_launcher", "airflow/test_preloading", "chaos/"),
    *("conformance/test_planted_faults", "conformance/test_command", "conformance/test_lost_answers"),
    *("conformance/test_refused_ids", "conformance/test_strict_products", "contract/", "deploy/test_nodes"),
    *("docs/test_providers", "guide/"),
    *("integration/test_changes", "integration/test_database", "integration/test_every_method"),
    *("integration/test_file_drop", "integration/test_invoicing", "integration/test_killed"),
    *("integration/test_nonconformances", "integration/test_soap", "integration/test_stock"),
    *("products/test_whole_request", "products/test_conformance_pm", "products/test_conformance_lims_scripts"),
    *("products/test_erp_clients", "products/test_jira", "sandbox/test_command"),
    *("unit/exchange/test_overlapping_attempts", "unit/ledger/test_durability", "unit/ledger/test_frozen_writer"),
    *("unit/providers/test_too_many_requests", "unit/transports/governor/", "unit/webhooks/test_delivery"),
    "unit/webhooks/test_staying",
)  # fmt: skip
"""Files, without ``tests/``, whose tests mostly wait for other processes or until a time has passed."""
LAST_WAIT = 0.75
"""The part of the other tests before which the last of those that wait begins, so that none of them is left alone."""


def scope(nodeid: str) -> str:
    """Return the name of the tests that one process runs one after the other.

    Args:
        nodeid: of one of them.
    """
    if AIRFLOW.match(nodeid):
        return "airflow"
    if parameter := BY_PARAMETER.match(nodeid):
        return "-".join(filter(None, parameter.groups()))
    return nodeid if SINGLE.match(nodeid) else nodeid.partition("::")[0]


def mixed(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Spread the tests that wait among those that compute, so that some of either kind run at any moment.

    Args:
        items: all tests.
    """
    waiting: dict[str, list[pytest.Item]] = {}
    computing: dict[str, list[pytest.Item]] = {}
    for item in items:
        kind = waiting if waits(item.nodeid) else computing
        kind.setdefault(scope(item.nodeid), []).append(item)
    places = [(LAST_WAIT * share, group) for share, group in _spread(waiting)] + _spread(computing)
    return [item for _, group in sorted(places, key=lambda placed: placed[0]) for item in group]


def _spread(groups: Mapping[str, list[pytest.Item]]) -> list[tuple[float, list[pytest.Item]]]:
    """Give each group its place between 0 and 1: the longest first, the others as by chance, always in one order."""
    order = sorted(groups, key=lambda name: (name != "airflow", crc32(name.encode())))
    return [(number / len(order), groups[name]) for number, name in enumerate(order)]


def waits(nodeid: str) -> bool:
    """Return whether a test mostly waits, as its file is among :data:`WAITING`."""
    return nodeid.removeprefix("tests/").startswith(WAITING)


class Sharing(LoadScopeScheduling):
    """Gives each process the next tests that belong together."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)
