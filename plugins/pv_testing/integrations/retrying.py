"""Another try for what a network did to a call, as the integration guide's samples use it."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from tenacity import RetryCallState, retry_if_exception_type, stop_after_attempt
from tenacity import retry as tenacious

from pv_testing.core.errors import NetworkError, RateLimited

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


def retry(max_attempts: int = 3, backoff: float = 2.0) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Repeat a function when nothing took effect and another try may succeed.

    An :class:`~pv_testing.core.errors.AmbiguousOutcome` is never repeated: only a look-up can tell what became of it.

    Args:
        max_attempts: how often the function is called at the most.
        backoff: base of the wait: up to ``backoff ** attempt`` seconds, at random, or what the system asks for.

    Raises:
        ValueError: ``max_attempts`` is less than 1.
    """
    if max_attempts < 1:
        raise ValueError("max_attempts must be at least 1")

    def told(call: RetryCallState) -> None:
        numbers = (call.attempt_number, max_attempts, call.upcoming_sleep)
        log.warning("attempt %d of %d failed, the next in %.1f s: %s", *numbers, _error(call))

    return tenacious(
        retry=retry_if_exception_type((NetworkError, RateLimited)),
        stop=stop_after_attempt(max_attempts),
        wait=lambda call: pause(_error(call), call.attempt_number, backoff),
        before_sleep=told,
        reraise=True,
    )


def _error(call: RetryCallState) -> BaseException | None:
    return call.outcome.exception() if call.outcome else None


def pause(error: BaseException | None, attempt: int, backoff: float) -> float:
    """Return the seconds to wait after an attempt: what the system asks for, else half to all of the backoff."""
    if isinstance(error, RateLimited):
        return error.retry_after
    return float(backoff**attempt * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards nothing
