"""Records that can't be carried: how they wait in the ledger, whatever their key and content are."""

from __future__ import annotations

from pv_testing.core.errors import DataError
from pv_testing.core.fingerprint import fingerprint
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Outcome, Payload, Record, Result
from pv_testing.ledger import Refusal
from pv_testing.ledger.storable import clean, stand_in, storable


class RefusedRecord:
    """A record that can't be carried.

    Args:
        record: as it came.
        error: why not.

    Attributes:
        outcome: for the caller, under the record's own key.
        refusal: for the ledger, under a key that it can keep and with a fingerprint of what can be read.
    """

    def __init__(self, record: Record, error: DataError) -> None:
        code, reason = clean(error.code), clean(error.message)
        key = record.key if storable(record.key) else stand_in(record.key)
        try:
            content = content_of(dict(record.data))
        except DataError:
            content = fingerprint({"code": code, "reason": reason})
        self.outcome = Outcome(record.key, Result.QUARANTINED, code=code, reason=reason)
        self.refusal = Refusal(key, content, code, reason)


def content_of(payload: Payload) -> str:
    """Return the fingerprint of what can be sent.

    Raises:
        DataError: it can't.
    """
    try:
        return fingerprint(payload)
    except (TypeError, ValueError, RecursionError) as error:
        message = f"its content can't be written as JSON ({error}); correct it at its source"
        raise DataError(message, code=Reason.CONTENT_UNUSABLE) from error
