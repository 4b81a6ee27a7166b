"""Check the whole ledger: the audit trail from its first event to its last, the tables' guards, and what they keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from pv_testing.core.errors import AuditBroken, LedgerAltered
from pv_testing.ledger import evidence, shape
from pv_testing.ledger.audit import FIELDS, GENESIS, Link, digest, last, page
from pv_testing.ledger.evidence import EvidenceFindings, Trail
from pv_testing.ledger.store import Store
from pv_testing.ledger.types import AuditSummary

_PAGE = 20_000


def verify(store: Store) -> AuditSummary:
    """Check every event: its number, its place in the chain, its time, its hash; then that none is cut off the end.

    Then the tables are held against the trail: every record and every watermark must be what its events make of it, and
    the guards must be there.

    Raises:
        AuditBroken: with the number of the first event that is altered, missing, added or out of order.
        LedgerAltered: the trail is whole, but a table isn't what it tells; the error names what differs.
        LedgerError: the ledger can't be read.
    """
    with store.studying() as connection, evidence.opened() as trail:
        summary = _follow_chain(connection, trail)
        findings = EvidenceFindings()
        for difference in shape.differences(connection):
            findings.add(difference)
        records, watermarks = evidence.compare(connection, trail, store.clock(connection), findings)
    if findings.count:
        raise LedgerAltered(findings.texts, findings.count, sequence=summary.count)
    return replace(summary, records=records, watermarks=watermarks)


def _follow_chain(connection: Connection, trail: Trail) -> AuditSummary:
    end = last(connection)
    first_at = ""
    reached = Link(0, "", GENESIS)
    for rows in _pages(connection):
        for row in rows:
            reached = follow(reached, row)
            first_at = first_at or reached.at
        trail.add(rows)
    _compare(reached, end)
    return AuditSummary(reached.sequence, reached.hash, first_at, reached.at)


def _pages(connection: Connection) -> Iterator[Sequence[Any]]:
    after = None
    while rows := page(connection, after, _PAGE):
        yield rows
        after = rows[-1][0]


def follow(before: Link, row: Any) -> Link:
    """Return the link of a stored event that stands right behind another one.

    Raises:
        AuditBroken: it doesn't, or isn't as it was written.
    """
    event = dict(zip(FIELDS, row, strict=True))
    sequence, expected = event["sequence"], before.sequence + 1
    if sequence > expected:
        raise AuditBroken(f"audit record {expected} is missing; the next one is {sequence}", sequence=expected)
    if sequence < expected:
        raise AuditBroken(f"audit record {sequence} was added: the trail begins with 1", sequence=sequence)
    if not _genuine(event):
        raise AuditBroken(f"audit record {sequence} was altered, or moved from another place", sequence=sequence)
    if event["previous"] != before.hash:
        raise AuditBroken(
            f"audit record {sequence} doesn't follow from the one before: that one was rewritten, or this one put in",
            sequence=sequence,
        )
    if event["at"] < before.at:
        raise AuditBroken(f"audit record {sequence} is older than the one before", sequence=sequence)
    return Link(sequence, event["at"], event["hash"])


def _genuine(event: dict[str, Any]) -> bool:
    try:
        return digest({name: value for name, value in event.items() if name != "hash"}) == str(event["hash"])
    except TypeError:  # a value of a kind that the ledger never writes
        return False


def _compare(reached: Link, end: Link | None) -> None:
    if end is None:
        raise AuditBroken(
            "the head of the audit trail is missing; records may be cut off", sequence=reached.sequence + 1
        )
    if reached.sequence < end.sequence:
        raise AuditBroken(
            f"audit record {reached.sequence + 1} is missing: the trail is cut off, it had {end.sequence} records",
            sequence=reached.sequence + 1,
        )
    if reached.sequence > end.sequence:
        raise AuditBroken(
            f"audit record {end.sequence + 1} was added behind the ledger's back", sequence=end.sequence + 1
        )
    if reached.hash != end.hash:
        raise AuditBroken(
            f"audit record {reached.sequence} is not the one that the ledger wrote last", sequence=reached.sequence
        )
