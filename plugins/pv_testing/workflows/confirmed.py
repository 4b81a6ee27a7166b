"""Records that can't be carried, and that a person has confirmed as they are: they are asked about no more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pv_testing.exchange.fingerprint import fingerprint
from pv_testing.exchange.types import Outcome, Record, Result
from pv_testing.ledger import Claim, Decision, Ledger


def without_confirmed(
    ledger: Ledger, system: str, kind: str, records: Iterable[Record]
) -> tuple[list[Record], list[Outcome]]:
    """Return the records to carry, and the outcomes of those with a problem that a person has confirmed.

    The engine puts a record with a problem before a person again and again, for a posting that she has confirmed by
    mistake must come back. Where only she can say that nothing is to be done, that would have no end.

    Args:
        ledger: knows what is confirmed.
        system: of the records.
        kind: of the records.
        records: all of them.
    """
    records = list(records)
    claims = [Claim(record.key, fingerprint(dict(record.data))) for record in records if record.problem is not None]
    answers = ledger.peek(system, kind, claims)
    outcomes = [Outcome(a.key, Result.UNCHANGED, a.external_id) for a in answers if a.decision is Decision.UNCHANGED]
    return _others(records, {outcome.key for outcome in outcomes}), outcomes


def _others(records: Sequence[Record], confirmed: set[str]) -> list[Record]:
    return [record for record in records if record.problem is None or record.key not in confirmed]
