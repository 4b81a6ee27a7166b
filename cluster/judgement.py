"""What a run has come to, read from the systems' own databases and from the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cluster import certificates
from cluster.airflow import Cluster
from cluster.expected import UNKNOWN, copied, expected
from cluster.journey import Journey
from cluster.keys import differences
from demo.story import complaints
from pv_testing.ledger import Ledger
from sandbox.closing import Tally, closing
from sandbox.judge import Judge, table

AUDIT = "audit events"


@dataclass(frozen=True)
class Judgement:
    """The verdict on one run.

    Attributes:
        tallies: the records of each system, beside what the framework gives cause for.
        wrong: what isn't as it should be.
        audit_events: of the verified audit trail.
        told: what those of them tell that are copied into the QMS, by the result of a record or by what was done.
        waiting: records that wait for a person.
        written: requests of a last round of all DAGs that were meant to change something.
        runs: of DAGs, by how they ended.
    """

    tallies: list[Tally]
    wrong: list[str]
    audit_events: int
    told: Counter[str]
    waiting: int
    written: int
    runs: dict[str, int]

    @property
    def holds(self) -> bool:
        """Whether every record is there once, and none is sent again."""
        return not self.wrong and not self.written

    @property
    def uncounted(self) -> set[str]:
        """The kinds of record of which it isn't known how many there must be."""
        return {each.records for each in self.tallies if each.wanted is None}

    def sentence(self) -> str:
        """Return the verdict in a line.

        Records are counted without audit events. Those may differ between runs of one seed, because each update and
        each attempt is an event: a run that data has started sees a status between two others, or comes too late.
        """
        there = sum(each.there for each in self.tallies if each.records != AUDIT)
        events = sum(each.there for each in self.tallies if each.records == AUDIT)
        twice = sum(each.twice for each in self.tallies)
        verdict = "the promise was kept" if self.holds else "THE PROMISE WAS BROKEN"
        counts = f"{there:,} records and {events:,} audit events"
        return f"{counts}, {twice} twice, {self.waiting} wait for a person; {verdict}"

    def lines(self) -> Iterator[str]:
        """Give the verdict for people."""
        yield from table([each.row() for each in self.tallies]).splitlines()
        yield from (f"not known: {each}, because {why}" for each, why in UNKNOWN.items() if each in self.uncounted)
        yield from (f"WRONG: {each}" for each in self.wrong)
        yield f"events that are copied into the QMS, one for each change or attempt: {_in_words(self.told)}"
        yield f"audit trail verified: {self.audit_events:,} events; {self.waiting} records wait for a person"
        yield f"runs of DAGs: {_in_words(self.runs)}"
        yield f"requests that write, sent by a last round in which nothing had changed: {self.written}"


def judge(cluster: Cluster, journey: Journey, written: int, known_problems: Sequence[str] = ()) -> Judgement:
    """Read every system's own database and the ledger.

    Args:
        cluster: where everything is.
        journey: how the requests were carried.
        written: requests of the last round that were meant to change something.
        known_problems: what is known to be wrong before.
    """
    with Ledger(cluster.ledger) as ledger:
        tallies = [*tallies_of(cluster.lab, ledger), *certificates.tallies(cluster.lab, cluster.files)]
        events, waiting, told = ledger.verify().count, ledger.waiting(), copied(ledger)
        other = list(differences(cluster.lab, ledger))
    wrong = [*known_problems, *(each.complaint for each in tallies if each.complaint), *other]
    wrong += [f"{each.system}: no count is known for {each.records}" for each in tallies if _unjudged(each)]
    wrong += [complaint for row in cluster.lab.summary() for complaint in complaints(row)]
    wrong += [f"waits for a person: {each.system} {each.kind} {each.key}: {each.reason}" for each in waiting]
    return Judgement(tallies, wrong, events, told, len(waiting), written, dict(journey.states))


def tallies_of(judge: Judge, ledger: Ledger) -> list[Tally]:
    """Count the records of each system in its own database, beside how many of them there must be.

    Args:
        judge: the eyes on the databases.
        ledger: whose chain says what is to be in the QMS.
    """
    wanted = expected(judge, ledger)
    return [each._replace(wanted=wanted.get(each.records, each.wanted)) for each in closing(judge)]


def _unjudged(tally: Tally) -> bool:
    return tally.wanted is None and tally.records not in UNKNOWN


def _in_words(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in numbers.items())
