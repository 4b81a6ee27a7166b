"""Shows that tests that wait for one another are run by one process, and long ones by several."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from tests.sharing import AIRFLOW, BY_PARAMETER, LAST_WAIT, SINGLE, WAITING, mixed, scope
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


def test_each_file_that_waits_is_there() -> None:
    for start in WAITING:
        assert any(name.removeprefix("tests/").startswith(start) for name in FILES), start


def test_tests_that_wait_are_spread_among_the_others_and_stay_together(request: pytest.FixtureRequest) -> None:
    class Named(pytest.Item):
        def runtest(self) -> None:
            raise NotImplementedError

    def made(name: str, files: int, tests: int) -> list[pytest.Item]:
        nodes = [f"tests/unit/{name}_{file:02}.py::{test}" for file in range(files) for test in range(tests)]
        return [Named.from_parent(request.session, name=node, nodeid=node) for node in nodes]

    items = mixed([*made("test", files=40, tests=2), *made("transports/governor/test", files=10, tests=3)])
    files = [item.nodeid.partition("::")[0] for item in items]
    each = list(dict.fromkeys(files))
    assert files == [file for file in each for _ in range(files.count(file))]
    assert len(files) == 110
    places = [place for place, file in enumerate(each) if "governor" in file]
    assert places[0] == 0
    assert {later - place for place, later in pairwise(places)} <= {3, 4, 5}
    assert 0.6 * 50 < places[-1] < LAST_WAIT * 50
