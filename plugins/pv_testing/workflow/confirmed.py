"""Records that can't be carried, and that a person has confirmed as they are: they are asked about no more."""

from __future__ import annotations

from collections.abc import Iterable

from pv_testing.core.errors import DataError
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.exchange.refused import Refused
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
    refused = [Refused(each, each.problem).refusal for each in records if isinstance(each.problem, DataError)]
    answers = ledger.peek(system, kind, [Claim(refusal.key, refusal.fingerprint) for refusal in refused])
    known = {answer.key: answer.external_id for answer in answers if answer.decision is Decision.UNCHANGED}
    outcomes = [Outcome(key, Result.UNCHANGED, external_id) for key, external_id in known.items()]
    return [each for each in records if each.problem is None or each.key not in known], outcomes
