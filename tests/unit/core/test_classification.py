"""Shows what each HTTP status means, for requests that may be repeated and for those that must not."""

from __future__ import annotations

import pytest

from pv_testing.core.classification import classify_http, classify_login
from pv_testing.core.errors import Conflict, NotFound, PermissionDenied, SecurityError
from pv_testing.core.records import Verdict
from pv_testing.core.response import Response

NOT_PROCESSED = {425, 429, 503}


def judged(status: int, *, repeatable: bool):
    return classify_http(Response(status, {}, b'{"error": {"message": "so it is"}}'), repeatable)


def expected(status: int, *, repeatable: bool) -> Verdict:
    if 200 <= status < 300:
        return Verdict.OK
    if status in NOT_PROCESSED:
        return Verdict.RETRYABLE
    if status == 408 or status < 200 or status >= 500:
        return Verdict.RETRYABLE if repeatable else Verdict.AMBIGUOUS
    if status in {302, 303} and not repeatable:
        return Verdict.AMBIGUOUS
    return Verdict.REJECTED


@pytest.mark.parametrize("repeatable", [True, False])
def test_every_status_has_its_meaning(repeatable):
    found = {status: judged(status, repeatable=repeatable) for status in range(100, 600)}
    assert {s: j.verdict for s, j in found.items()} == {s: expected(s, repeatable=repeatable) for s in found}
    assert all(
        classification.code == f"HTTP_{status}"
        for status, classification in found.items()
        if status not in range(200, 300)
    )


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, PermissionDenied), (404, NotFound), (409, Conflict), (412, Conflict), (307, SecurityError)],
)
def test_a_refusal_is_said_by_the_error_that_fits(status, error):
    assert judged(status, repeatable=False).error is error


def test_an_ordinary_refusal_is_told_in_the_systems_words():
    classification = judged(422, repeatable=False)
    assert (classification.error, classification.reason) == (None, "so it is")


@pytest.mark.parametrize("status", [400, 401, 403, 408, 429, 500, 503])
def test_of_a_login_only_the_status_is_told(status):
    classification = classify_login(Response(status, {}, b'{"message": "hunter2 is wrong"}'), True)
    assert classification.code == f"HTTP_{status}"
    assert "hunter2" not in repr(classification)
