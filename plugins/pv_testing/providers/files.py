"""Operations that a system takes as files: written whole, in effect when the system's answer file says so.

::

    made ready in staging ── noted in the ledger ── renamed into the system's folder ── answered
          │                         │                          │                           │
        killed                    killed                     killed                     ok: in effect
    nothing is known:         it is still in staging:     it is open: never a        refused: rejected
    made again                withdrawn, made again       second one; after the
                                                          deadline a person's turn

Whoever renames the file in staging first decides: the attempt that drops it, or the one after it that withdraws it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

from pv_testing.contracts.kinds import STATES
from pv_testing.contracts.model import Contract, OperationSpec
from pv_testing.core import clock, lease
from pv_testing.core.errors import (
    AmbiguousOutcome,
    ConfigError,
    DataError,
    DeadlineExceeded,
    MappingError,
    NetworkError,
)
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.exchange.operation import OperationLimits
from pv_testing.ledger import Ledger
from pv_testing.providers.file_answers import AnswerReader, AnswerWord
from pv_testing.providers.file_journal import Carried, FileJournal
from pv_testing.providers.list_files import by_key, read_list, shown
from pv_testing.transports.files.record_files import file_of
from pv_testing.transports.files.store import FileStore

AWAITED = Reason.ANSWER_AWAITED
WITHDRAWN = ".withdrawn"

log = logging.getLogger(__name__)


class FileOperation:
    """One operation that is carried by files, as the exchange engine uses it.

    Args:
        contract: how the product is spoken to.
        spec: the operation.
        store: where its folders are.
        ledger: where it is noted which file carries which record.
    """

    def __init__(self, contract: Contract, spec: OperationSpec, store: FileStore, ledger: Ledger) -> None:
        assert spec.files is not None
        self._spec, self._drop, self._store = spec, spec.files, store
        self._list = contract.operation(spec.find.listing).list_file if spec.find else None
        self._journal = FileJournal(ledger, contract.system, spec.name)
        self._answers = AnswerReader(store, spec.files)
        self._refused: dict[str, Reply] = {}
        self.name, self.kind = spec.name, spec.kind
        self.system, self.provider = contract.system, contract.provider
        self.limits = OperationLimits(
            batch_size=spec.files.size,
            change_batch_size=spec.files.size,
            concurrency=contract.limits.concurrency,
            timeout=contract.limits.total_timeout + spec.files.wait,
            horizon=0.0,
            on_change=spec.on_change,
            changes=spec.kind in STATES,
            absence_certain=True,  # the file was withdrawn before the system could see it, or refused
        )

    def prepare(self, record: Record) -> Payload:
        """Map a record, and see that a file can hold it."""
        payload = self._spec.prepare(record.data)
        if self._drop.key.fill({"key": record.key, **payload}) is None:
            message = f"it has no value for {self._drop.key.text}, by which the answer is told"
            raise MappingError(message, key=record.key, code=Reason.FIELD_MISSING)
        if self._drop.form.kind != "xlsx":
            file_of([payload], self._drop)
        return payload

    async def send(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        """Drop one file with the records, and wait a while for its answer."""
        replies = {item.key: self._refused.pop(item.key) for item in batch if item.key in self._refused}
        asked = [item for item in batch if item.key not in replies]
        blocked = await self._blocked(asked)
        replies.update(blocked)
        free = [item for item in asked if item.key not in blocked]
        if free:
            replies.update(await self._carry(free))
        return [replies[item.key] for item in batch]

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found] | None:
        """Say what answers, folders and lists tell of records; one whose file is open is neither there nor absent."""
        carried = await asyncio.to_thread(self._carried, batch)
        words = await self._answers.settled({each.file for each in carried.values()})
        listed = await self._listed([item for item in batch if not self._told(item, carried.get(item.key), words)])
        found = await asyncio.to_thread(self._found, batch, carried, words, listed)
        return {**self._unlisted(batch, carried, listed), **found}

    def _told(self, item: Prepared, each: Carried | None, words: Mapping[str, Mapping[str, AnswerWord]]) -> bool:
        """Whether an answer says that the wanted version is in effect, so that no list need be read."""
        word = words[each.file].get(self._key(item)) if each else None
        return bool(each and word and word.verdict is Verdict.OK and self._is_wanted(item, each))

    async def _listed(self, batch: Sequence[Prepared]) -> dict[str, Found]:
        """Return what the system's own list shows of records; without the list, their answers alone count."""
        find = self._spec.find
        if find is None or self._list is None or not batch:
            return {}
        try:
            rows = by_key(await read_list(self._store, self._list), find)
        except NetworkError as error:
            log.warning("%s on %s: looked up without the list: %s", self.name, self.system, error)
            return {}
        found = {}
        for item in batch:
            own = rows.get(find.key_of_sent(item.payload, self._context(item)) or "")
            if own:
                wanted = self._spec.call.body(item.payload, self._context(item))
                found[item.key] = shown(find, own, wanted, amends=self.limits.on_change == "amend")
        return found

    def _unlisted(
        self, batch: Sequence[Prepared], carried: Mapping[str, Carried], listed: Mapping[str, Found]
    ) -> dict[str, Found]:
        """Return what is known of a state that no file carries: what the list shows, and else nothing for sure."""
        if self._list is None or not self.limits.changes:
            return {}
        where = self._store.where(self._list.folder, self._list.name)
        unclear = Found("", unclear=f"{where} doesn't show it; the next attempt looks again", code=AWAITED)
        return {item.key: listed.get(item.key, unclear) for item in batch if item.key not in carried}

    def _carried(self, batch: Sequence[Prepared]) -> dict[str, Carried]:
        known = ((item.key, self._journal.carried(item.key)) for item in batch)
        return {key: each for key, each in known if each is not None}

    def _found(
        self,
        batch: Sequence[Prepared],
        carried: Mapping[str, Carried],
        words: Mapping[str, Mapping[str, AnswerWord]],
        listed: Mapping[str, Found],
    ) -> dict[str, Found]:
        found: dict[str, Found] = {}
        for item in batch:
            each, seen = carried.get(item.key), listed.get(item.key)
            if seen is not None and (seen.in_effect or seen.copies > 1):
                found[item.key] = seen
            if each is None or item.key in found:
                continue
            word = words[each.file].get(self._key(item))
            if word is not None and word.verdict is Verdict.OK:
                found[item.key] = Found(word.id, in_effect=self._is_wanted(item, each), body=word.row)
            elif word is not None and word.verdict is Verdict.REJECTED:
                if each.fingerprint == item.fingerprint:
                    self._refused[item.key] = word.reply()
            elif not self._withdrawn(each):
                found[item.key] = self._open(item, each, word)
        return found

    def _is_wanted(self, item: Prepared, each: Carried) -> bool:
        """Whether a file carries the version that is wanted; an amendment is known by its revision."""
        if self.limits.on_change == "amend":
            return each.revision == item.revision
        return each.fingerprint == item.fingerprint

    def _withdrawn(self, each: Carried) -> bool:
        """Whether a file surely never came to the system; one that is still in staging is withdrawn now."""
        staging = self._drop.staging
        if self._store.exists(staging, each.staged + WITHDRAWN):
            return True
        if not self._store.renames:
            return False
        try:
            self._store.move(staging, each.staged, staging, each.staged + WITHDRAWN)
        except FileNotFoundError:
            return False
        log.info("%s on %s: %s was never dropped and is withdrawn", self.name, self.system, each.file)
        return True

    def _open(self, item: Prepared, each: Carried, word: AnswerWord | None) -> Found:
        """Return that a file waits for its answer.

        Raises:
            DataError: it waits for longer than the deadline, or the answer says nothing that can be understood.
        """
        where = self._where(each)
        since = datetime.fromtimestamp(each.since, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        if word is not None:
            why = f"the answer to {each.file} says {word.text!r}, which the contract doesn't know"
            raise DataError(
                f"{why}; add the word there, or look in the system", key=item.key, code=Reason.ANSWER_UNKNOWN
            )
        waiting = f"{where} since {since}, and no answer speaks of it"
        if self._journal.now() - each.since > self._drop.deadline:
            remedy = f"see why {self.provider} doesn't answer; an answer that comes late is read after a release"
            raise DataError(f"{waiting}; {remedy}", key=item.key, code=Reason.ANSWER_MISSING)
        return Found("", unclear=f"{waiting}; the next attempt looks again", code=AWAITED)

    def _where(self, each: Carried) -> str:
        if self._store.exists(self._drop.folder, each.file):
            return f"its file {self._store.where(self._drop.folder, each.file)} waits to be taken"
        return f"its file {each.file} was taken from {self._store.where(self._drop.folder)}"

    async def _blocked(self, batch: Sequence[Prepared]) -> dict[str, Reply]:
        """Return a refusal for records whose last file still lies in the system's folder, unanswered."""
        carried = await asyncio.to_thread(self._carried, batch)
        files = {each.file for each in carried.values()}
        lying = await asyncio.to_thread(lambda: {name for name in files if self._store.exists(self._drop.folder, name)})
        words = await self._answers.settled(lying)
        blocked = {}
        for item in batch:
            each = carried.get(item.key)
            if each is not None and each.file in lying and self._key(item) not in words[each.file]:
                where = self._store.where(self._drop.folder, each.file)
                reason = f"its earlier file {where} isn't taken yet; have it taken or remove it there, then release"
                blocked[item.key] = Reply(Verdict.REJECTED, reason=reason, code=Reason.FILE_OPEN)
        return blocked

    async def _carry(self, batch: Sequence[Prepared]) -> dict[str, Reply]:
        name = await asyncio.to_thread(self._write, batch)
        until = clock.seconds() + self._drop.wait
        words = await self._answers.wait_for(name, {self._key(item) for item in batch}, until)
        awaited = Reply(Verdict.AMBIGUOUS, code=AWAITED, reason=f"{name} is dropped, and no answer speaks of it yet")
        told = {item.key: words.get(self._key(item)) for item in batch}
        return {key: awaited if word is None else word.reply() for key, word in told.items()}

    def _write(self, batch: Sequence[Prepared]) -> str:
        """Make the file ready, note it, and drop it in one step."""
        bodies = [self._spec.call.body(item.payload, self._context(item)) for item in batch]
        content, staged = file_of(bodies, self._drop), uuid4().hex
        lease.asks()
        if self._store.renames:
            self._store.write(self._drop.staging, staged, content)
        name = self._journal.begin(batch, self._drop.name, staged, content)
        self._drop_file(staged, name, content)
        log.info("%s on %s: %d records in %s", self.name, self.system, len(batch), name)
        return name

    def _drop_file(self, staged: str, name: str, content: bytes) -> None:
        if clock.seconds() > lease.end():
            raise DeadlineExceeded(f"the lease ends before {name} could be dropped; nothing was dropped")
        lease.writes()
        try:
            if self._store.renames:
                self._store.move(self._drop.staging, staged, self._drop.folder, name)
            else:
                self._store.write(self._drop.folder, name, content)
        except FileNotFoundError:
            message = f"{name} was withdrawn by another attempt before it was dropped"
            raise NetworkError(message, system=self.system, code=Reason.FILE_WITHDRAWN) from None
        except (NetworkError, ConfigError) as error:
            raise AmbiguousOutcome(f"{name} may have been dropped: {error.message}", system=self.system) from error

    def _context(self, item: Prepared) -> dict[str, Any]:
        return {"id": item.external_id, "key": item.key, "revision": item.revision}

    def _key(self, item: Prepared) -> str:
        return self._drop.key.fill({"key": item.key, **item.payload}) or ""
