"""A request on its way through its attempts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from yarl import URL

from pv_testing.core import clock
from pv_testing.core.classification import ResponseClassifier
from pv_testing.core.errors import DeadlineExceeded, IntegrationError
from pv_testing.transports.throttle import Throttle

if TYPE_CHECKING:
    from pv_testing.core.response import Response

LEAST = 0.1
"""The part of an attempt's time without which it is not begun."""


@dataclass(slots=True)
class OutgoingRequest:
    """A request on its way through its attempts.

    Attributes:
        method: the HTTP method.
        url: the full address.
        data: the body.
        headers: besides the session's own and the credentials.
        repeatable: whether it may be sent twice without harm.
        deadline: ``clock.seconds()`` by which it must be done.
        latest: the same after which it isn't sent, because there would hardly be time for the answer.
        throttle: what it must pass.
        classify: says what a response means.
        decode: whether a successful answer must be JSON.
        login: whether it asks for credentials, and therefore carries none.
        renewed: whether its credentials were refused once and have been renewed.
        redirects: how often it was sent on to another address.
        written: whether anything of it may have been written to a socket in the last attempt.
        passed: ``time.monotonic()`` at which it passed the throttle last.
        turn_ends: ``clock.seconds()`` after which it must wait for another turn, where a shared limit has given it one.
        attempt_ends: the same by which the attempt under way must have its answer.
        careful: whether it must not be repeated and is sent under a lease, so that a refusal that may have come after
            the effect is followed by a look-up or left to a person.
    """

    method: str
    url: URL
    data: Any
    headers: Mapping[str, str] | None
    repeatable: bool
    deadline: float
    latest: float
    throttle: Throttle
    classify: ResponseClassifier
    decode: bool = True
    login: bool = False
    renewed: bool = False
    redirects: int = 0
    written: bool = False
    careful: bool = False
    passed: float = 0.0
    turn_ends: float = math.inf
    attempt_ends: float = math.inf

    def left(self) -> float:
        """Return the seconds until the deadline.

        Raises:
            DeadlineExceeded: there is not enough time to send anything.
        """
        now = clock.seconds()
        if now > self.latest:
            raise DeadlineExceeded(
                "the time for the operation is used up, or this machine stood still meanwhile; nothing was sent"
            )
        return self.deadline - now


class Again(Exception):
    """Another attempt may help.

    Args:
        error: what to raise when there is none.
        wait: seconds that the system asks to wait; without it, the backoff decides.
        paced: whether the throttle spreads requests out from now on, as the system doesn't say how long to wait.
    """

    def __init__(self, error: IntegrationError, wait: float | None = None, *, paced: bool = False) -> None:
        self.error = error
        self.wait = wait
        self.paced = paced
        super().__init__(str(error))


class Carrier(Protocol):
    """Carries requests to a system, each once.

    Attributes:
        closed: whether nothing is sent any more, whoever still waits to.
    """

    closed: bool

    async def send(self, call: OutgoingRequest, headers: Mapping[str, str]) -> Response:
        """Send a request and return its answer; what it raises says whether the request may have taken effect."""

    async def aclose(self) -> None:
        """Close the connections."""


class Watch(Protocol):
    """Sees what a session sends; what it raises counts in the place of the answer."""

    def __call__(self, call: OutgoingRequest, response: Response) -> None:
        """See a request and its answer."""

    def broke(self, call: OutgoingRequest, error: IntegrationError) -> None:
        """See a request that has no answer, and why; also one whose answer :meth:`__call__` has refused."""
