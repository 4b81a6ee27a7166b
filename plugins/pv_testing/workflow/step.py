"""What every step over service requests does: choose and read them, run exchanges, remember how far each request is."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar, Generic, TypeVar

from pv_testing.core.records import Outcome, Record
from pv_testing.domain.records import ServiceRequest
from pv_testing.exchange.report import Report
from pv_testing.integrations.client import SystemClient
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.ledger import Ledger
from pv_testing.workflow.confirmed import without_confirmed
from pv_testing.workflow.execution_checkpoint import note_finished
from pv_testing.workflow.selection import OPEN, choose
from pv_testing.workflow.shared_changes import Wanted
from pv_testing.workflow.sweep import Sweep
from pv_testing.workflow.sweep_backlog import SweepBacklog, is_over

Client = TypeVar("Client", bound=SystemClient)
Made = TypeVar("Made", Report, list[Report])


class Step(ABC, Generic[Client, Made]):
    """One run of one step over service requests.

    A subclass makes records of the requests and exchanges them in :meth:`carry`, and says in :meth:`is_done` or
    :meth:`remember` when nothing of a request waits any more.

    Args:
        framework: where the service requests are.
        client: of the system that the records go to; its ledger keeps what is remembered.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.

    Attributes:
        sweep: the step's name in the ledger, such as ``lims/samples``.
        days: for how many days after its creation a closed request is looked for, or one that has changed after it was
            finished; 0 to look for none.
        executions: the state of those executions whose changes matter, empty for all of them, ``None`` for none.
        checkpoint: where the ledger remembers which executions of a request are settled; see :class:`Sweep`.
        adopts: whether the step begins with requests that it finds; else another step tells it of them.
        begins: whether requests are remembered before anything is done with them, so that a killed worker forgets none
            that was given by hand.
        backlog: what the ledger remembers of the step's requests.
        requests: the service requests of this run.
        deleted: the ids of those that the framework has no longer.
        waiting: the business keys of the records that are not in effect after the exchanges.
        stopped: whether an exchange was stopped before its end, so that not every record was tried.
    """

    sweep: ClassVar[str]
    days: int = 0
    executions: ClassVar[str | None] = None
    checkpoint: ClassVar[str] = ""
    adopts: ClassVar[bool] = True
    begins: ClassVar[bool] = False

    backlog: SweepBacklog
    requests: Sequence[ServiceRequest]
    deleted: Sequence[int]
    waiting: AbstractSet[str]
    stopped: bool

    def __init__(
        self, framework: FrameworkClient, client: Client, *, replay: bool = False, dry_run: bool = False
    ) -> None:
        self.framework = framework
        self.client = client
        self.replay = replay
        self.dry_run = dry_run

    @property
    def ledger(self) -> Ledger:
        """Where is kept what became of records and what is remembered of requests."""
        return self.client.ledger

    @property
    def enabled(self) -> bool:
        """Whether the laboratory wants the step to do anything at all."""
        return True

    def states(self) -> Sequence[str]:
        """Return the states of the open requests that the step is about."""
        return OPEN

    def choose(self, wanted: str = "", *, changes: Wanted | None = None) -> dict[str, int]:
        """Return the ids of the requests that the step has something to do for, by their numbers.

        Those are requests that wait for something, or have changed since the last run; each open one comes once a day.

        Args:
            wanted: the number or the id of the only one, whatever its state.
            changes: how new the answer of the framework has to be that another sweep has asked for; one that this sweep
                has not seen by default.

        Raises:
            DataError: there is no such service request.
        """
        if wanted:
            return choose(self.framework, OPEN, wanted)
        if not self.enabled:
            return {}
        sweep = Sweep(
            self.framework,
            self.ledger,
            self.sweep,
            self.states(),
            days=self.days,
            executions=self.executions,
            checkpoint=self.checkpoint,
            adopts=self.adopts,
        )
        return sweep.due(keep=not self.dry_run, wanted=changes or Wanted.UNSEEN)

    @classmethod
    async def over(
        cls,
        framework: FrameworkClient,
        client: Client,
        sr_ids: Iterable[int],
        *,
        replay: bool = False,
        dry_run: bool = False,
        **rules: Any,
    ) -> Made:
        """Make the step and run it over service requests.

        Args:
            framework: where they are.
            client: of the system that the records go to.
            sr_ids: the framework's ids of the requests.
            replay: try records again that wait for a person.
            dry_run: say what would happen, and change nothing anywhere.
            rules: what else the step takes, such as the laboratory's ``policy``; read from its files by default.
        """
        return await cls(framework, client, replay=replay, dry_run=dry_run, **rules).run(sr_ids)

    async def run(self, sr_ids: Iterable[int]) -> Made:
        """Read service requests, carry their records, remember how far each is, and return what became of the records.

        Args:
            sr_ids: the framework's ids. A request that was deleted there is noted; one that can't be read is not in
                effect, and stops no other.
        """
        self.backlog = await asyncio.to_thread(SweepBacklog, self.ledger, self.sweep, self.days)
        read, unread = await self.framework.aservice_requests(sr_ids if self.enabled else ())
        # The small ones first: they don't wait for one with thousands of modules.
        self.requests = sorted(read, key=lambda request: len(request.modules))
        self.deleted = unread.deleted
        if self.begins and not self.dry_run:
            await self.begin()
        made = await self.carry()
        reports = [made] if isinstance(made, Report) else made
        unread.add_to(reports[0])
        if not self.dry_run:
            self.waiting = waiting_keys(reports)
            self.stopped = any(report.error is not None for report in reports)
            await self.remember()
        return made

    @abstractmethod
    async def carry(self) -> Made:
        """Make the records of the requests, exchange them, and return what became of them."""

    async def begin(self) -> None:
        """Remember the requests before anything is done with them; only where the step says that it ``begins``."""
        await self.backlog.begin(self.requests, self.deleted)

    async def remember(self) -> None:
        """Remember which requests are finished, and which need not be read before they change.

        After an exchange that was stopped, each is read again.
        """
        done: set[str] = set()
        if not self.stopped:
            done = {request.sr_number for request in self.requests if self.is_done(request)}
        if self.checkpoint:
            over = [request for request in self.requests if request.sr_number in done and is_over(request)]
            await asyncio.to_thread(note_finished, self.ledger, self.checkpoint, over)
        await self.backlog.settle(self.requests, done, self.deleted)

    def is_done(self, request: ServiceRequest) -> bool:
        """Say whether nothing of a request waits."""
        raise NotImplementedError

    def names_in_keys(self, sr_number: str) -> set[str]:
        """Return what the business keys of a request's records begin with: its number, or an execution's id.

        Args:
            sr_number: of a request that the step has carried.
        """
        return {sr_number}

    def report(self, operation: str) -> Report:
        """Return an empty report, to take in several exchanges of one operation."""
        return Report(operation, self.client.system, self.client.config.provider, dry_run=self.dry_run)

    async def exchange(self, operation: str, records: Sequence[Record]) -> Report:
        """Run one operation of the contract over records, each of which takes effect exactly once."""
        return await self.client.aexchange(operation, records, replay=self.replay, dry_run=self.dry_run)

    async def exchange_unconfirmed(self, operation: str, records: Iterable[Record]) -> Report:
        """Run one operation over records, but for those with a problem that a person has confirmed as they are."""
        kind = self.client.contract.operation(operation).kind
        arguments = (self.ledger, self.client.system, kind, records)
        unconfirmed, confirmed = await asyncio.to_thread(without_confirmed, *arguments)
        report = await self.exchange(operation, unconfirmed)
        report.add(confirmed)
        return report

    async def exchange_into(self, report: Report, records: Sequence[Record]) -> Sequence[Outcome]:
        """Exchange further records of a report's operation, take in what became of them, and return it."""
        if not records:
            return ()
        part = await self.exchange(report.operation, records)
        report.add(part.outcomes)
        report.error = part.error
        return part.outcomes

    async def release(self, kind: str, keys: Sequence[str], **how: Any) -> None:
        """Let records wait for a person no more, because nothing is to be done about them."""
        await asyncio.to_thread(self.ledger.release, self.client.system, kind, keys, owner=self.client.owner, **how)


def waiting_keys(reports: Iterable[Report]) -> set[str]:
    """Return the business keys of the records that are not in effect."""
    keys: set[str] = set()
    for report in reports:
        keys.update(outcome.key for outcome in report.not_in_effect())
    return keys
