"""Shows which failures of a call are worth another try."""

from __future__ import annotations

import pytest

from pv_testing.core.errors import AmbiguousOutcome, NetworkError, RateLimited
from pv_testing.integrations.retrying import pause, retry


def failing(*errors):
    left = list(errors)
    calls = []

    @retry(max_attempts=3, backoff=0.01)
    def call():
        calls.append(1)
        if left:
            raise left.pop(0)
        return "done"

    return call, calls


def test_a_network_error_is_tried_again():
    call, calls = failing(NetworkError("refused"), NetworkError("refused"))
    assert call() == "done"
    assert len(calls) == 3


def test_every_repetition_is_logged_with_its_cause(caplog):
    call, _ = failing(NetworkError("refused"), RateLimited("slower", retry_after=0.01))
    call()
    messages = [record.getMessage() for record in caplog.records]
    assert [line.partition(",")[0] for line in messages] == ["attempt 1 of 3 failed", "attempt 2 of 3 failed"]
    assert "refused" in messages[0]
    assert "slower" in messages[1]


def test_the_last_error_is_the_callers():
    call, calls = failing(*[NetworkError("refused")] * 3)
    with pytest.raises(NetworkError):
        call()
    assert len(calls) == 3


def test_an_ambiguous_outcome_is_never_repeated():
    call, calls = failing(AmbiguousOutcome("lost"))
    with pytest.raises(AmbiguousOutcome):
        call()
    assert len(calls) == 1


def test_the_wait_is_what_the_system_asks_for():
    assert pause(RateLimited("wait", retry_after=7.5), 1, 2.0) == 7.5
    assert all(2.0 <= pause(NetworkError("x"), 2, 2.0) <= 4.0 for _ in range(100))


def test_at_least_one_attempt():
    with pytest.raises(ValueError, match="max_attempts"):
        retry(max_attempts=0)
