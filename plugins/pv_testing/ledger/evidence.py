"""Hold the tables of records and watermarks against the audit trail, one entry after the other, in bounded memory.

What the trail tells of records and watermarks goes into a temporary file, is sorted there by entry, and is merged with
the tables, which are read in the same order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Table, select, tuple_

from pv_testing.ledger import replay
from pv_testing.ledger.audit import MARK
from pv_testing.ledger.marks import digest, is_told
from pv_testing.ledger.replay import ANY, Told
from pv_testing.ledger.rules import unheard_of, unresolved_version
from pv_testing.ledger.tables import record, watermark
from pv_testing.ledger.types import Row, State

PAGE = 5_000
MOST_CLAIMS = 2**40
"""No record is claimed so often without an event; beyond a database's whole numbers it could be claimed no more."""
LONGEST_LEASE = 86_400.0
"""Seconds; no attempt asks for more, and a record under a longer lease would wait for nothing."""
_ANSWERED = ("state", "fingerprint", "confirmed", "revision", "external_id", "unresolved_fingerprint", "code", "reason")
_KEPT_BY_A_CLAIM = ("confirmed", "revision", "external_id", "code", "reason")
_IN_FLIGHT, _UNKNOWN = State.IN_FLIGHT.value, State.UNKNOWN.value
_FIELDS = ("system", "kind", "key", "sequence", "action", "result", "external_id", "fingerprint", "detail")
_TOLD = itemgetter(0, 3, 4, 5, 6, 7, 8, 9, 10)  # of a stored event
_ENTRY = itemgetter(0, 1, 2)

Place = tuple[str, str, str]
BASELINE = "baseline"


class EvidenceFindings:
    """What is wrong, in words; the first of them and how many there are.

    Attributes:
        texts: no more than ``MOST`` of them.
        count: all of them.
    """

    MOST = 20

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.count = 0

    def add(self, text: str) -> None:
        """Take a finding; an empty one is none."""
        if text:
            self.count += 1
            if len(self.texts) < self.MOST:
                self.texts.append(text)


class Known(NamedTuple):
    """An entry as the audit trail tells it.

    Attributes:
        row: the record; of a watermark ``fingerprint`` is the digest of its value.
        sequence: of the last event about it; 0 without one.
    """

    row: Row
    sequence: int


class Trail:
    """The events of the audit trail by the entry that they tell of; a context manager.

    Attributes:
        baseline: number of the event from which on events tell everything; 0 where all do.
    """

    def __init__(self) -> None:
        self.baseline = 0
        self._file = sqlite3.connect("")  # a file without a name, which ends with the connection
        self._file.execute(f"CREATE TABLE told ({', '.join(_FIELDS)})")

    def close(self) -> None:
        """Remove the temporary file."""
        self._file.close()

    def add(self, events: Sequence[Any]) -> None:
        """Take stored events, in their order."""
        told = [_of_entry(row) for row in events if row[3] in replay.ACTIONS or row[3] == MARK]
        self._file.executemany(f"INSERT INTO told VALUES ({', '.join('?' * len(_FIELDS))})", told)  # noqa: S608
        self.baseline = self.baseline or next((row[0] for row in events if row[3] == BASELINE), 0)

    def entries(self, findings: EvidenceFindings, *, marks: bool) -> Iterator[tuple[Place, Known]]:
        """Give the records, or the watermarks, in the order of the tables.

        Args:
            findings: takes what of an event can't follow from those before.
            marks: whether watermarks are wanted.
        """
        chosen = f"action {'=' if marks else '<>'} '{MARK}'"
        rows = self._file.execute(f"SELECT * FROM told WHERE {chosen} ORDER BY system, kind, key, sequence")  # noqa: S608
        tell = _last_mark if marks else partial(self._followed, findings)
        for place, events in groupby(rows, _ENTRY):
            yield place, tell(place, events)

    def _followed(self, findings: EvidenceFindings, place: Place, events: Iterator[Any]) -> Known:
        row, sequence = unheard_of(place[2]), 0
        for _, _, _, sequence, action, result, external_id, fingerprint, detail in events:
            event = Told(sequence, action, result, external_id, fingerprint, orjson.loads(detail))
            if sequence > self.baseline:
                wrong = replay.contradiction(row, event)
                findings.add(wrong and f"{_named(place)}: event {sequence} doesn't follow from those before: {wrong}")
            row = replay.follow(row, event)
        return Known(row, sequence)


def _of_entry(row: Any) -> tuple[Any, ...]:
    """Return of a stored event what the temporary file keeps."""
    sequence, _, _, action, system, kind, key, result, external_id, fingerprint, detail, *_ = row
    return system, kind, key, sequence, action, result, external_id, fingerprint, detail


def _last_mark(place: Place, events: Iterator[Any]) -> Known:
    last = max(events, key=itemgetter(3))
    return Known(Row(place[2], "", last[7]), last[3])


def compare(connection: Connection, trail: Trail, now: float, findings: EvidenceFindings) -> tuple[int, int]:
    """Compare the tables with the trail.

    Args:
        connection: reads the tables as they were when the trail was read.
        trail: what it tells.
        now: epoch seconds on the ledger's clock.
        findings: takes the differences.

    Returns:
        How many records and how many watermarks there are.
    """
    counts = [0, 0]
    for number, (table, marks) in enumerate(((record, False), (watermark, True))):
        judge: Callable[[Place, Any, Known, float], str] = _judge_mark if marks else _judge_record
        stored = _marks(connection) if marks else _records(connection)
        for place, kept, told in _merged(stored, trail.entries(findings, marks=marks)):
            counts[number] += kept is not None
            known = told or Known(unheard_of(place[2]), 0)
            if kept is None:
                findings.add(f"{_named(place)}: event {known.sequence} tells of it, but it is not in {table.name}")
            else:
                findings.add(judge(place, kept, known, now))
    return counts[0], counts[1]


def _merged(
    stored: Iterator[tuple[Place, Any]], told: Iterator[tuple[Place, Known]]
) -> Iterator[tuple[Place, Any, Known | None]]:
    """Give each entry with what the table keeps and what the trail tells; both come in the same order."""
    kept, known = next(stored, None), next(told, None)
    while kept is not None or known is not None:
        place = min(each[0] for each in (kept, known) if each is not None)
        of_table = kept[1] if kept is not None and kept[0] == place else None
        of_trail = known[1] if known is not None and known[0] == place else None
        yield place, of_table, of_trail
        kept = next(stored, None) if of_table is not None else kept
        known = next(told, None) if of_trail is not None else known


def _pages(connection: Connection, table: Table, columns: Sequence[Any], order: Sequence[Any]) -> Iterator[Any]:
    after: tuple[Any, ...] | None = None
    while True:
        statement = select(*columns).select_from(table).order_by(*order).limit(PAGE)
        if after is not None:
            statement = statement.where(tuple_(*order) > after)
        rows = connection.execute(statement).all()
        yield from rows
        if len(rows) < PAGE:
            return
        after = tuple(rows[-1])[: len(order)]


def _records(connection: Connection) -> Iterator[tuple[Place, Row]]:
    order = (record.c.system, record.c.kind, record.c.key)
    others = [record.c[name] for name in Row._fields[1:]]
    for system, kind, key, *rest in _pages(connection, record, (*order, *others), order):
        yield (system, kind, key), Row(key, *rest)


def _marks(connection: Connection) -> Iterator[tuple[Place, str]]:
    for name, value in _pages(connection, watermark, (watermark.c.name, watermark.c.value), (watermark.c.name,)):
        if is_told(name):
            yield ("", "", name), value


def _judge_mark(place: Place, value: str, known: Known, _: float) -> str:
    if not known.sequence:
        return f"{_named(place)}: no event of the audit trail tells of it"
    if digest(value) != known.row.fingerprint:
        return f"{_named(place)}: it is not what event {known.sequence} tells"
    return ""


def _judge_record(place: Place, kept: Row, known: Known, now: float) -> str:
    if kept.state == _IN_FLIGHT:
        wrong = _in_flight(kept, known.row, now)
    elif not known.sequence:
        return f"{_named(place)}: it is {kept.state}, but no event of the audit trail tells of it"
    else:
        wrong = _differs(kept, known.row, _ANSWERED)
    if not wrong and not known.row.token <= kept.token <= known.row.token + MOST_CLAIMS:
        wrong = "its token is not one that the ledger has given"
    return wrong and f"{_named(place)}: {wrong} (its last event is {known.sequence or 'none'})"


def _differs(kept: Row, told: Row, names: Sequence[str]) -> str:
    for name in names:
        here, there = getattr(kept, name), getattr(told, name)
        if here != there and there != ANY:
            return f"its {name} is {_short(here)}, the audit trail says {_short(there)}"
    return ""


def _in_flight(kept: Row, told: Row, now: float) -> str:
    """Say what of a claim can't be; it leaves no event, so that only what it must not change is certain."""
    if kept.lease_until > now + LONGEST_LEASE:
        return "its lease ends in more than a day"
    wrong = _differs(kept, told, _KEPT_BY_A_CLAIM)
    before = (kept.before_state, kept.before_fingerprint)
    if wrong or told.state == ANY:
        return wrong
    in_doubt = unresolved_version(told)
    if in_doubt not in {"", ANY} and (kept.unresolved_fingerprint != in_doubt or before != (_UNKNOWN, in_doubt)):
        return "its claim forgets that another version may have been sent"
    if before != (told.state, told.fingerprint) and (
        kept.before_state != _UNKNOWN or kept.unresolved_fingerprint != kept.before_fingerprint
    ):
        return f"its claim says that it was {kept.before_state} before, the audit trail says {told.state}"
    return ""


def _short(value: Any) -> str:
    text = str(value)
    return f"{text[:40]}…" if len(text) > 40 else text or "empty"


def _named(place: Place) -> str:
    system, kind, key = place
    return f"{system} {kind} {key}" if system else f"watermark {key}"


def opened() -> closing[Trail]:
    """Return a trail as a context manager."""
    return closing(Trail())
