"""What Tryton's answers mean: it says no with HTTP 200 and the name of an exception."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pv_testing.core.classification import OK, Classification, classify_http
from pv_testing.core.errors import Conflict, IntegrationError, Rejected, ResponseError, redact
from pv_testing.core.records import Verdict
from pv_testing.core.response import Response

SQLITE_BUSY = "database is locked"
_REFUSALS: Mapping[str, tuple[str, type[IntegrationError]]] = {
    "UserError": ("USER_ERROR", Rejected),
    "UserWarning": ("USER_WARNING", Conflict),
    "ConcurrencyException": ("CHANGED_MEANWHILE", Conflict),
}


def classify(response: Response, repeatable: bool) -> Classification:  # noqa: FBT001 - the shape of every classifier
    """Say what an answer to a call means.

    Args:
        response: what came back.
        repeatable: whether the call may be sent twice without harm.

    Returns:
        ``rejected`` for what Tryton refuses in words; ``retryable`` where its database was busy, because nothing is
        committed then. After any other exception, a call that may be repeated is ``retryable``, else ``ambiguous``.
    """
    if response.status != 200:
        return classify_http(response, repeatable)
    try:
        answer = response.json()
    except ResponseError:
        return OK  # the session says of an unreadable answer what it means
    if isinstance(answer, Mapping) and "result" in answer:
        return OK
    error = answer.get("error") if isinstance(answer, Mapping) else None
    name = str(error[0]) if isinstance(error, list) and error else ""
    if name in _REFUSALS:
        code, kind = _REFUSALS[name]
        return Classification(Verdict.REJECTED, code, _words(name, error), kind)
    if name == SQLITE_BUSY:
        return Classification(Verdict.RETRYABLE, "DATABASE_BUSY", "Tryton's database is busy")
    reason = redact(f"Tryton failed: {name}") if name else "the answer is none of Tryton's; check base_url"
    return Classification(Verdict.RETRYABLE if repeatable else Verdict.AMBIGUOUS, "SERVER_ERROR", reason)


def _words(name: str, error: Any) -> str:
    """Return what a refusal says to people; a warning begins with its own name, which says nothing to them."""
    parts = error[1] if len(error) > 1 else ""
    if not isinstance(parts, list):
        return redact(str(parts))
    words = [str(each).replace("\xa0", " ") for each in parts[:3] if isinstance(each, str) and each]
    return redact(" ".join(words[1:] if name == "UserWarning" else words))
