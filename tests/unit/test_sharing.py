"""Shows that tests that wait for one another are run by one process, and long ones by several."""

from __future__ import annotations

import re

import pytest

from tests.sharing import AIRFLOW, BY_PARAMETER, SINGLE, scope
from tests.shipped import PROJECT

FILES = {str(path.relative_to(PROJECT)): path for path in (PROJECT / "tests").rglob("test_*.py")}


def test_every_file_that_shares_the_running_airflow_belongs_to_one_scope() -> None:
    fixtures = re.compile(r"^def .*\b(?:running: Running|story: Story)\b", re.MULTILINE)
    sharing = {name for name, path in FILES.items() if fixtures.search(path.read_text(encoding="utf-8"))}
    assert sharing == {name for name in FILES if AIRFLOW.match(name)}
    assert {scope(f"{name}::test_it") for name in sharing} == {"airflow"}


@pytest.mark.parametrize("pattern", [BY_PARAMETER, SINGLE])
def test_what_is_shared_more_finely_is_there(pattern: re.Pattern[str]) -> None:
    assert any(pattern.match(f"{name}::test_it[x]") for name in FILES)


@pytest.mark.parametrize(
    ("nodeid", "expected"),
    [
        ("tests/unit/core/test_keys.py::test_it[a::b]", "tests/unit/core/test_keys.py"),
        ("tests/products/test_whole_request.py::test_it[jira-dc]", "tests/products/test_whole_request.py-jira-dc"),
        ("tests/live/test_conformance.py::TestPm::test_it[a-redmine-6]", "tests/live/test_conformance.py-redmine-6"),
        ("tests/live/test_whole_way.py::test_it[redmine-5-hours]", "tests/live/test_whole_way.py-redmine-5"),
        ("tests/chaos/test_naive.py::test_it[lag]", "tests/chaos/test_naive.py::test_it[lag]"),
    ],
)
def test_a_test_belongs_to_its_file_its_parameter_or_itself(nodeid: str, expected: str) -> None:
    assert scope(nodeid) == expected
