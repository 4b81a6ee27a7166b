"""The exchange: one operation run over many records, each of which takes effect exactly once.

The steps are those of the outbox pattern with a read-back: map, claim in the ledger, send, classify, look up ambiguous
records, settle. A record whose fate is unknown is never sent again before a look-up has shown that it isn't there.

Where all tasks share a limit of the system, the first chunk of an exchange goes with those of other tasks and the rest
goes behind them, so that who has much to carry doesn't hold up who has little.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from pv_testing.core import metrics, priority
from pv_testing.core.concurrency import together
from pv_testing.core.errors import AmbiguousOutcome, DataError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Outcome, Prepared, Record, Result
from pv_testing.core.sync import run
from pv_testing.core.visible import visible
from pv_testing.exchange.chunk import POLL, ChunkProcessor
from pv_testing.exchange.context import ExchangeContext
from pv_testing.exchange.operation import Operation
from pv_testing.exchange.refused import RefusedRecord, content_of
from pv_testing.exchange.report import Report
from pv_testing.ledger import Claim, Claimed, Decision, Ledger
from pv_testing.ledger.storable import UNUSABLE, storable

CHUNK = 1_000
PIPELINE = 2
CORRECT_KEY = "correct it at its source, then release the entry under which it waits"

_PLANNED = {
    Decision.NEW: Result.CREATED,
    Decision.CHANGED: Result.UPDATED,
    Decision.RESOLVE: Result.ADOPTED,
    Decision.UNCHANGED: Result.UNCHANGED,
    Decision.BUSY: Result.DEFERRED,
    Decision.WAITING: Result.QUARANTINED,
}

log = logging.getLogger(__name__)


class Exchange:
    """Runs one operation over many records.

    Args:
        operation: the provider's operation.
        ledger: where claims and outcomes are kept.
        owner: who acts, for leases and the audit trail: DAG, run, task, map index and try, or a person.
        replay: try records again that wait for a person with the same content.
        patience: seconds to wait for records that another attempt holds; ``None`` waits as long as a lease can last.
    """

    def __init__(
        self,
        operation: Operation,
        ledger: Ledger,
        *,
        owner: str = "",
        replay: bool = False,
        patience: float | None = None,
    ) -> None:
        self.operation = operation
        self.ledger = ledger
        self.owner = owner
        self.replay = replay
        self.patience = operation.limits.lease + 2 * POLL if patience is None else patience

    def run(self, records: Sequence[Record]) -> Report:
        """Bring the records into effect and say what became of each.

        Args:
            records: what to carry; a key that comes twice with different content is quarantined.

        Returns:
            The report; ``raise_for_waiting`` turns what isn't in effect into an error.

        Raises:
            LedgerError: the ledger can't be read or written; nothing more was sent.
        """
        return run(self.arun(records))

    async def arun(self, records: Sequence[Record]) -> Report:
        """Do what :meth:`run` does, in the caller's event loop."""
        report = Report(self.operation.name, self.operation.system, self.operation.provider)
        distinct, contradictory = separate(records)
        chunks = list(self._chunks(distinct))
        width = self._width(len(chunks))
        shared = ExchangeContext(
            self.operation, self.ledger, owner=self.owner, replay=self.replay, patience=self.patience, width=width
        )
        left = enumerate(chunks)

        async def work() -> None:
            for number, chunk in left:
                with priority.using(priority.behind() if number else priority.current()):
                    report.add(await self._carry(chunk, shared, contradictory))
                self._progress(report, len(distinct))

        await together(*(work() for _ in range(width)))
        report.error = shared.stopped
        if isinstance(report.error, AmbiguousOutcome):
            report.error.recorded = True
        report.close()
        _measure(report)
        return report

    def plan(self, records: Sequence[Record]) -> Report:
        """Say what :meth:`run` would do, and change nothing anywhere.

        Args:
            records: what would be carried.
        """
        report = Report(self.operation.name, self.operation.system, self.operation.provider, dry_run=True)
        distinct, contradictory = separate(records)
        for chunk in self._chunks(distinct):
            prepared, refused = self._prepare(chunk, contradictory)
            report.add(one.outcome for one in refused)
            claims = [Claim(item.key, item.fingerprint) for item in prepared]
            answers = self.ledger.peek(self.operation.system, self.operation.kind, claims)
            report.add(Outcome(a.key, self._planned(a), a.external_id, a.code, a.reason) for a in answers)
        report.close()
        return report

    def _planned(self, claimed: Claimed) -> Result:
        if claimed.decision is Decision.NEW and self.operation.limits.changes:
            return Result.UPDATED
        return Result.REJECTED if claimed.rejected else _PLANNED[claimed.decision]

    def _width(self, chunks: int) -> int:
        """Return how many chunks to carry at a time.

        Two in bulk, so that the ledger works on one while the system works on the other. Single records keep this
        process itself busy, and a second chunk would only take turns with the first.
        """
        limits = self.operation.limits
        return 1 if limits.batch_size == 1 else max(1, min(PIPELINE, limits.concurrency, chunks))

    def _chunks(self, records: Sequence[Record]) -> Iterator[Sequence[Record]]:
        limits = self.operation.limits
        share = max(1, limits.concurrency // PIPELINE)
        size = CHUNK if limits.batch_size == 1 else limits.batch_size * share
        for start in range(0, len(records), size):
            yield records[start : start + size]

    async def _carry(
        self, records: Sequence[Record], shared: ExchangeContext, contradictory: AbstractSet[str]
    ) -> list[Outcome]:
        prepared, refused = self._prepare(records, contradictory)
        outcomes = await self._refuse(refused) if refused else []
        if prepared:
            outcomes += await ChunkProcessor(shared, prepared).run()
        return outcomes

    def _prepare(
        self, records: Sequence[Record], contradictory: AbstractSet[str]
    ) -> tuple[list[Prepared], list[RefusedRecord]]:
        prepared: list[Prepared] = []
        refused: list[RefusedRecord] = []
        for record in records:
            try:
                if record.problem is not None:
                    raise record.problem
                if not storable(record.key):
                    raise DataError(f"its key is {UNUSABLE}; {CORRECT_KEY}", code=Reason.KEY_UNUSABLE)
                if record.key in contradictory:
                    raise DataError(
                        "comes more than once with different content; correct it at its source",
                        code=Reason.DUPLICATE_KEY,
                    )
                payload = self.operation.prepare(record)
                content = content_of(payload)
            except DataError as error:
                refused.append(RefusedRecord(record, error))
            else:
                prepared.append(Prepared(record.key, payload, content, data=record.data))
        return prepared, refused

    async def _refuse(self, refused: Sequence[RefusedRecord]) -> list[Outcome]:
        operation = self.operation
        refusals = [one.refusal for one in refused]
        await asyncio.to_thread(self.ledger.quarantine, operation.system, operation.kind, refusals, owner=self.owner)
        for refusal in refusals:
            log.warning("%s", visible(f"{refusal.key} is quarantined: {refusal.reason} [{refusal.code}]"))
        return [one.outcome for one in refused]

    def _progress(self, report: Report, total: int) -> None:
        counts = ", ".join(f"{number:,} {result}" for result, number in report.counts().items() if number)
        log.info(
            "%s on %s: %s of %s — %s", report.operation, report.system, f"{report.total():,}", f"{total:,}", counts
        )


def _measure(report: Report) -> None:
    tags = {"system": report.system, "operation": report.operation}
    metrics.time("exchange_seconds", report.seconds, **tags)
    for result, number in report.counts().items():
        if number:
            metrics.count("records", number, result=result, **tags)


def separate(records: Sequence[Record]) -> tuple[list[Record], set[str]]:
    """Return one record a key, and the keys that come more than once with different content."""
    first: dict[str, Record] = {}
    contradictory: set[str] = set()
    for record in records:
        earlier = first.setdefault(record.key, record)
        if earlier is not record and _differ(earlier, record):
            contradictory.add(record.key)
    return list(first.values()), contradictory


def _differ(one: Record, other: Record) -> bool:
    try:
        return one.data != other.data
    except RecursionError:  # nested too deeply to be sent, too
        return True
