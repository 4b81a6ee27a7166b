"""Records that can't be carried, and that a person has confirmed as they are: they are asked about no more."""

from __future__ import annotations

from collections.abc import Iterable

from pv_testing.core.errors import DataError
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.exchange.refused import RefusedRecord
from pv_testing.ledger import Claim, Decision, Ledger


def without_confirmed(
    ledger: Ledger, system: str, kind: str, records: Iterable[Record]
) -> tuple[list[Record], list[Outcome]]:
    """Return the records to carry, and the outcomes of those with a problem that a person has confirmed.

    The engine puts a record with a problem before a person again and again, because a posting that was confirmed by
    mistake must come back. Where only a person can say that nothing is to be done, that would have no end.

    Args:
        ledger: knows what is confirmed.
        system: of the records.
        kind: of the records.
        records: all of them.
    """
    records = list(records)
    claims: list[Claim] = []
    for record in records:
        if isinstance(record.problem, DataError):
            refusal = RefusedRecord(record, record.problem).refusal
            claims.append(Claim(refusal.key, refusal.fingerprint))
    confirmed: dict[str, str] = {}
    for answer in ledger.peek(system, kind, claims):
        if answer.decision is Decision.UNCHANGED:
            confirmed[answer.key] = answer.external_id
    unconfirmed = [record for record in records if record.problem is None or record.key not in confirmed]
    return unconfirmed, [Outcome(key, Result.UNCHANGED, external_id) for key, external_id in confirmed.items()]
