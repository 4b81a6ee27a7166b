"""Replies for records of which the system's answer does not say whether they took effect."""

from __future__ import annotations

from typing import Any

from pv_testing.core.errors import redact
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Reply, Verdict

_SHOWN = 200
NO_ID = Reply(
    Verdict.AMBIGUOUS, code=Reason.NO_ID, reason="the system doesn't say the record's id, which its changes need"
)
NO_ANSWER = Reply(
    Verdict.AMBIGUOUS, code=Reason.BULK_INCOMPLETE, reason="the system's answer doesn't speak of the record"
)


def no_id_at(place: str, body: Any) -> Reply:
    """Return the reply for an answer that lacks the id which its contract promises.

    Args:
        place: the key of the contract that promises it.
        body: the decoded answer.
    """
    shown = redact(str(body), _SHOWN)
    reason = f"the answer has no id where {place} of the contract says"
    return NO_ID._replace(reason=f"{reason}; it may be a refusal that errors.rules doesn't know: {shown}")
