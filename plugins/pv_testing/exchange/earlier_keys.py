"""Records that an earlier version has carried under an ambiguous key: a person says whether they are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pv_testing.core import keys
from pv_testing.core.errors import DataError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Record
from pv_testing.ledger import Entry, Ledger, State

_DECIDED = (State.CONFIRMED, State.IN_FLIGHT, State.UNKNOWN, State.REJECTED)
_IN_DOUBT = (State.CONFIRMED, State.IN_FLIGHT, State.UNKNOWN)


def with_earlier_keys(ledger: Ledger, system: str, kind: str, records: Sequence[Record]) -> list[Record]:
    """Return the records; one that may be in effect under its unescaped key gets that as its problem.

    Earlier versions didn't escape the parts of a key, so that request ``SR-1/2`` may have a sample that the ledger
    knows as ``SR-1/2/SN001``, or request ``SR-1`` may. Sent under the key of today it would be there twice. A record
    that a person has confirmed since, or released as absent, goes its way; another problem of it decides nothing.

    Args:
        ledger: knows the keys.
        system: where the records go.
        kind: what they are.
        records: all of them; only keys with an escaped part are looked for.
    """
    return [_checked(ledger, system, kind, record) if "%" in record.key else record for record in records]


def _checked(ledger: Ledger, system: str, kind: str, record: Record) -> Record:
    unescaped = keys.SEPARATOR.join(keys.split(record.key))
    if unescaped == record.key or _is_of_today(unescaped, record):
        return record
    earlier = _entry(ledger, system, kind, unescaped)
    if earlier is None or earlier.state not in _IN_DOUBT:
        return record
    known = _entry(ledger, system, kind, record.key)
    if known is not None and _is_decided(known):
        return record
    where = f" with the id {earlier.external_id}" if earlier.external_id else ""
    history = f"an earlier version has carried it, or another record, as {unescaped}{where}: look in the system"
    message = (
        f"{history}; confirm this record with the id it has there, or release it with --absent where it isn't there"
    )
    return replace(
        record, problem=DataError(message, system=system, key=record.key, code=Reason.KEY_OF_EARLIER_VERSION)
    )


def _is_decided(known: Entry) -> bool:
    """Whether the record was sent or confirmed under its key, or a person has seen that the system doesn't have it."""
    return known.state in _DECIDED or (known.state is State.RELEASED and known.code == Reason.ABSENT)


def _is_of_today(unescaped: str, record: Record) -> bool:
    """Whether the unescaped key may be another record's of today, which has as many parts."""
    parts = keys.split(unescaped)
    return len(parts) == len(keys.split(record.key)) and keys.compose(*parts) == unescaped


def _entry(ledger: Ledger, system: str, kind: str, key: str) -> Entry | None:
    return ledger.states(system, kind, [key]).get(key)
