"""The meaning of a response. The HTTP status alone does not decide: contracts put their own rules before these."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pv_testing.core.errors import Conflict, IntegrationError, NotFound, PermissionDenied, SecurityError
from pv_testing.core.records import Verdict
from pv_testing.core.response import Response

NOT_PROCESSED = frozenset({425, 429, 503})
SEE_ELSEWHERE = frozenset({302, 303})
REDIRECTED = "the system redirects elsewhere; set base_url to the address that answers itself"


class Classification(NamedTuple):
    """The meaning of a response.

    Attributes:
        verdict: the meaning.
        code: a short reason code, unless it is ``ok``.
        reason: the same in words for a person.
        error: the class of error to raise, where it is rejected; :class:`Rejected` without it.
        promised: whether the contract vouches for it. A status alone may come from a proxy after the system has done
            the work.
        alone: whether only this request waits where the system asks to be left alone, because the limit is about its
            record.
    """

    verdict: Verdict
    code: str = ""
    reason: str = ""
    error: type[IntegrationError] | None = None
    promised: bool = False
    alone: bool = False


OK = Classification(Verdict.OK)
ResponseClassifier = Callable[[Response, bool], Classification]
_REFUSALS: dict[int, type[IntegrationError]] = {403: PermissionDenied, 404: NotFound, 409: Conflict, 412: Conflict}


def classify_http(response: Response, repeatable: bool) -> Classification:  # noqa: FBT001 - the shape of every classifier
    """Classify a response by its status, as HTTP defines it.

    Args:
        response: to classify.
        repeatable: whether the request may be sent twice without harm.

    Returns:
        ``retryable`` for a request that the server did not process; for other server errors ``ambiguous`` unless the
        request may be repeated, because a 500 can come after the commit, and so can a redirect to the result.
    """
    status = response.status
    if 200 <= status < 300:
        return OK
    code = f"HTTP_{status}"
    redirected = 300 <= status < 400
    reason = REDIRECTED if redirected else response.explain()
    unclear = status == 408 or not 200 <= status < 500
    if status in NOT_PROCESSED or (unclear and repeatable):
        return Classification(Verdict.RETRYABLE, code, reason)
    if unclear or (status in SEE_ELSEWHERE and not repeatable):
        return Classification(Verdict.AMBIGUOUS, code, reason)
    return Classification(Verdict.REJECTED, code, reason, SecurityError if redirected else _REFUSALS.get(status))


def classify_login(response: Response, repeatable: bool) -> Classification:  # noqa: FBT001 - the shape of every classifier
    """Classify a response by its status, without its own words, because they may repeat the secret.

    Args:
        response: to classify.
        repeatable: whether the request may be sent twice without harm.
    """
    by_status = classify_http(response, repeatable)
    return by_status if by_status.error is SecurityError else by_status._replace(reason="")
