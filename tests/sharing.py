"""Shares the tests among the processes of pytest-xdist: a file as a whole, but for three kinds of files."""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

AIRFLOW = re.compile(r"tests/airflow/running/test_\w+\.py")
"""Files that share one running Airflow."""
BY_PARAMETER = re.compile(r"(tests/products/test_whole_request\.py)::.*\[(.*)\]|(tests/live/[^:]*)::.*\[.*(redmine-\d)")
"""Files whose tests share what is made for a parameter: each of its values may go to another process."""
SINGLE = re.compile(r"tests/(?:chaos/test_|integration/test_killed_workers|conformance/test_planted_faults).*")
"""Files whose tests share nothing and take long: each test may go to another process."""


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


class Sharing(LoadScopeScheduling):
    """Gives each process the next tests that belong together."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)
