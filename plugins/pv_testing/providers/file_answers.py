"""Answers to files: read when they have stopped growing, and only as far as they speak of what was sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from pv_testing.contracts.files import FileDrop
from pv_testing.core import clock
from pv_testing.core.errors import DataError, IntegrationError, SecurityError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import NOTHING, Reply, Verdict
from pv_testing.transports.files.rows import read_rows
from pv_testing.transports.files.store import FileStore

POLL = 0.5
_CODES = {Verdict.OK: "", Verdict.REJECTED: Reason.REJECTED, Verdict.AMBIGUOUS: Reason.ANSWER_UNKNOWN}

log = logging.getLogger(__name__)


class AnswerWord(NamedTuple):
    """What an answer says of one record.

    Attributes:
        verdict: what the contract makes of it; ``ambiguous`` for a word that it doesn't know.
        text: the word itself, as it is in the answer.
        id: the record's id in the system.
        reason: why it is refused.
        row: all that the answer says.
    """

    verdict: Verdict
    text: str
    id: str = ""
    reason: str = ""
    row: Mapping[str, Any] = NOTHING

    def reply(self) -> Reply:
        """Return it as the system's word on a record that was sent."""
        return Reply(self.verdict, self.id, self.reason or self.text, _CODES[self.verdict], self.row)


class AnswerReader:
    """Reads the answers to the files of one operation.

    Args:
        store: where they are.
        drop: how they look.
    """

    def __init__(self, store: FileStore, drop: FileDrop) -> None:
        self._store, self._drop, self._how = store, drop, drop.answers

    async def wait_for(self, name: str, keys: Collection[str], until: float) -> Mapping[str, AnswerWord]:
        """Return what the answer to a file says, once it speaks of all its records or the time is up.

        Args:
            name: the file.
            keys: what it carries.
            until: the ``clock.seconds()`` until which it may be waited for.
        """
        words: Mapping[str, AnswerWord] = {}
        while clock.seconds() < until and not set(keys) <= words.keys():
            await asyncio.sleep(min(POLL, max(0.05, self._how.quiet)))
            try:
                words = (await self.settled([name]))[name]
            except IntegrationError as error:  # the file is dropped: whatever happens now, a look-up follows
                log.warning("the answer to %s can't be read now: %s", name, error)
        return words

    async def settled(self, names: Collection[str]) -> dict[str, Mapping[str, AnswerWord]]:
        """Return what the answers to files say, by file and by key; nothing of one that is still being written."""
        first = await asyncio.to_thread(self._contents, names)
        if first and self._how.quiet:
            await asyncio.sleep(self._how.quiet)
            again = await asyncio.to_thread(self._contents, first)
            first = {name: content for name, content in first.items() if _same(content, again.get(name))}
        return {name: self._words(name, first[name]) if name in first else {} for name in names}

    def _contents(self, names: Collection[str]) -> dict[str, bytes]:
        contents = {}
        for name in names:
            try:
                contents[name] = self._store.read(self._how.folder, self._how.name_of(name), self._drop.max_bytes)
            except FileNotFoundError:
                continue
        return contents

    def _words(self, name: str, content: bytes) -> dict[str, AnswerWord]:
        where = self._store.where(self._how.folder, self._how.name_of(name))
        words: dict[str, AnswerWord] = {}
        try:
            for row in read_rows(content, self._how.form, where):
                key = None if row.problem else self._how.key.fill(row.values)
                if key is not None:
                    words[key] = _together(words.get(key), self._word(key, row.values))
        except (DataError, SecurityError) as error:
            log.warning("the answer to %s can't be read: %s", name, error)
        return words

    def _word(self, key: str, row: Mapping[str, Any]) -> AnswerWord:
        text = str(self._how.status(row) or "").strip()
        folded = text.casefold()
        verdict = Verdict.OK if folded in self._how.ok else Verdict.AMBIGUOUS
        verdict = Verdict.REJECTED if folded in self._how.rejected else verdict
        external_id = self._how.id(row)
        reason = str(self._how.reason(row) or "")
        # Where the answer names no id, the record is known there by its key.
        return AnswerWord(verdict, text, key if external_id in {None, ""} else str(external_id), reason, row)


def _together(one: AnswerWord | None, other: AnswerWord) -> AnswerWord:
    """Return the word of an answer that has several rows of one record; rows that differ leave it to a person."""
    if one is None or one.verdict is other.verdict:
        return one or other
    return AnswerWord(Verdict.AMBIGUOUS, f"{one.text} and {other.text}", one.id, one.reason or other.reason, one.row)


def _same(one: bytes, other: bytes | None) -> bool:
    return other is not None and sha256(one).digest() == sha256(other).digest()
