"""The same service request arrives by every method in the LIMS's own database: the same, nothing twice, none missing.

On the way the sending process is killed with SIGKILL again and again, and answers are lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

import sandbox
from pv_testing.ledger import Ledger
from tests.forks import PROJECT
from tests.integration.every_method.by_files import by_files
from tests.integration.every_method.by_requests import by_rest, by_soap
from tests.integration.every_method.by_tables import by_postgresql, by_sqlite
from tests.integration.every_method.content import Content, expected
from tests.integration.every_method.lims import Lims
from tests.integration.every_method.sender import AtArrival, AtWrite, Sender, Task

MODULES, PROTOCOLS = 12, 2
METHODS: dict[str, Callable[[Path, sandbox.Lab], AbstractContextManager[Lims]]] = {
    "REST": by_rest,
    "SOAP": by_soap,
    "PostgreSQL": by_postgresql,
    "SQLite": by_sqlite,
    "CSV": partial(by_files, "csv"),
    "Excel": partial(by_files, "xlsx"),
    "XML": partial(by_files, "xml"),
    "JSON": partial(by_files, "json"),
}
MOMENTS = {
    kind: (
        AtWrite("claim", kind, done=True),  # claimed, and nothing is sent yet
        AtArrival(kind, 3),
        AtWrite("settle", kind, done=False),  # in effect, and the ledger doesn't know
    )
    for kind in ("sample", "result")
}
LEAST_KILLED = 4
MOST_ATTEMPTS = 8


@pytest.fixture
def lab() -> Iterator[sandbox.Lab]:
    """Give a laboratory whose tests are done."""
    plan = sandbox.SeedPlan(modules=MODULES, protocols=PROTOCOLS, failures=0.2, state="complete")
    with sandbox.serve(seed_plan=plan) as served:
        yield served


@pytest.mark.parametrize(
    "method", [pytest.param(name, marks=pytest.mark.postgres) if name == "PostgreSQL" else name for name in METHODS]
)
def test_the_lims_has_each_record_once_whoever_is_killed_and_whatever_is_lost(method, lab, tmp_path) -> None:
    with METHODS[method](tmp_path, lab) as lims:
        sender = Sender(_task(lab, lims, tmp_path), lims.arrived)
        for kind, moments in MOMENTS.items():
            for moment in (*lims.moments.get(kind, ()), *moments):
                sender.attempt(moment)
        _finish(sender, lims)
        assert lims.content() == expected(lab)
        assert sender.killed >= LEAST_KILLED
        assert lims.lost is None or lims.lost() > 0
        wanted = _corrected(lab)
        sender.attempt(AtWrite("settle", "result", done=False))
        _finish(sender, lims)
        assert lims.content() == wanted
    with Ledger(_ledger(tmp_path)) as ledger:
        ledger.verify()
        states = {("lims", "sample", "confirmed"): MODULES, ("lims", "result", "confirmed"): MODULES * PROTOCOLS}
        assert ledger.counts() == states


def _corrected(lab: sandbox.Lab) -> Content:
    """Correct an execution, and return what the LIMS must have then: the earlier results as well as an amendment."""
    before = expected(lab)
    lab.correct(lab.executions()[0]["execution_id"], {"Pmax": {"value": 391.5, "unit": "W", "uncertainty": 1.2}})
    (corrected,) = (each for each in expected(lab).results if each not in before.results)
    return Content.of(before.samples, [*before.results, corrected._replace(revision=2)])


def test_the_page_tells_of_each_method() -> None:
    page = (PROJECT / "docs/explanation/measurements.md").read_text(encoding="utf-8")
    table = page.partition("## Each method under attack")[2].partition("\n## ")[0]
    told = {line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("| ")}
    assert [name for name in told if name not in {"method", "---"}] == list(METHODS)


def _finish(sender: Sender, lims: Lims) -> None:
    """Run attempts until every record is in effect; answers that were lost come late."""
    for _ in range(MOST_ATTEMPTS):
        if sender.attempt():
            return
        lims.answer_late()
    raise AssertionError(f"records are still deferred after {MOST_ATTEMPTS} attempts")


def _task(lab: sandbox.Lab, lims: Lims, folder: Path) -> Task:
    known = lab.credentials
    framework = {
        "base_url": lab.framework_url,
        "username": known.framework_username,
        "password": known.framework_password,
    }
    return Task(framework, lims.section, _ledger(folder), folder / "attempts.log")


def _ledger(folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger.sqlite'}"
