"""Who is assigned is decided once, also where two runs decide at the same time."""

from __future__ import annotations

from collections.abc import Callable

from pv_testing.ledger import Ledger
from pv_testing.projects.assignees import OPEN, Assignees
from tests.unit.ledger.conftest import ledger, open_ledger, url  # noqa: F401 - fixtures

JANE, MARCO = "jane.doe@lab.example", "marco.rossi@lab.example"
USERS = [{"id": number, "role": "operator", "email": email} for number, email in enumerate((JANE, MARCO))]


class Overtaken(Assignees):
    """Assignments of a run that another one overtakes, after this one has read what was decided before."""

    def __init__(self, ledger: Ledger, meanwhile: Callable[[], object]) -> None:  # noqa: F811
        super().__init__(ledger)
        self._meanwhile = meanwhile

    def known(self, sr_number: str) -> dict[str, str]:
        """Return what was decided before the other run decides."""
        known = super().known(sr_number)
        self._meanwhile()
        return known


def assign(assignees: Assignees, sr_number: str) -> str:
    return assignees.assign(sr_number, ["P"], USERS, ["operator"])["P"]


def test_two_runs_that_assign_one_request_at_once_count_the_same_person_as_loaded(ledger: Ledger) -> None:  # noqa: F811
    other = Assignees(ledger)
    late = Overtaken(ledger, lambda: [assign(other, number) for number in ("SR-1", "SR-2")])
    assert assign(late, "SR-2") == MARCO
    assert ledger.state(OPEN, {}) == {"SR-1": {"P": JANE}, "SR-2": {"P": MARCO}}
    assert other.known("SR-2") == {"P": MARCO}


def test_two_runs_that_assign_two_requests_at_once_assign_them_evenly(ledger: Ledger) -> None:  # noqa: F811
    late = Overtaken(ledger, lambda: assign(Assignees(ledger), "SR-1"))
    assert assign(late, "SR-2") == MARCO


def test_what_is_assigned_while_another_run_takes_off_what_is_done_stays_load(ledger: Ledger) -> None:  # noqa: F811
    assign(Assignees(ledger), "SR-1")
    updating = Assignees(ledger)
    followed = ["SR-1"]
    assign(Assignees(ledger), "SR-2")
    updating.done({"SR-1": ["P"]}, followed)
    assert ledger.state(OPEN, {}) == {"SR-2": {"P": MARCO}}
    Assignees(ledger).done({}, followed)
    assert ledger.state(OPEN, {}) == {}
