"""What a run has come to, read from the systems' own databases and from the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cluster.airflow import Cluster
from cluster.journey import Journey
from demo.story import complaints
from pv_testing.ledger import Ledger
from sandbox.closing import Tally, closing
from sandbox.judge import table


@dataclass(frozen=True)
class Judgement:
    """The verdict on one run.

    Attributes:
        tallies: the records of each system, beside what the framework gives cause for.
        wrong: what isn't as it should be.
        audit_events: of the verified audit trail.
        waiting: records that wait for a person.
        written: requests of a last round of all DAGs that were meant to change something.
        runs: of DAGs, by how they ended.
    """

    tallies: list[Tally]
    wrong: list[str]
    audit_events: int
    waiting: int
    written: int
    runs: dict[str, int]

    @property
    def holds(self) -> bool:
        """Whether every record is there once, and none is sent again."""
        return not self.wrong and not self.written

    def sentence(self) -> str:
        """Return the verdict in a line."""
        there, twice = (sum(getattr(each, name) for each in self.tallies) for name in ("there", "twice"))
        verdict = "the promise was kept" if self.holds else "THE PROMISE WAS BROKEN"
        return f"{there:,} records, {twice} twice, {self.waiting} wait for a person; {verdict}"

    def lines(self) -> Iterator[str]:
        """Give the verdict for people."""
        yield from table([each.row() for each in self.tallies]).splitlines()
        yield from (f"WRONG: {each}" for each in self.wrong)
        yield f"audit trail verified: {self.audit_events:,} events; {self.waiting} records wait for a person"
        yield f"runs of DAGs: {', '.join(f'{number} {state}' for state, number in self.runs.items())}"
        yield f"requests that write, sent by a last round in which nothing had changed: {self.written}"


def judge(cluster: Cluster, journey: Journey, written: int, found: Sequence[str] = ()) -> Judgement:
    """Read every system's own database and the ledger.

    Args:
        cluster: where everything is.
        journey: how the requests were carried.
        written: requests of the last round that were meant to change something.
        found: what is known to be wrong before.
    """
    tallies = list(closing(cluster.lab))
    wrong = [*found, *(each.complaint for each in tallies if each.complaint)]
    wrong += [complaint for row in cluster.lab.summary() for complaint in complaints(row)]
    with Ledger(cluster.ledger) as ledger:
        events, waiting = ledger.verify().count, ledger.waiting()
    wrong += [f"waits for a person: {each.system} {each.kind} {each.key}: {each.reason}" for each in waiting]
    return Judgement(tallies, wrong, events, len(waiting), written, dict(journey.states))
