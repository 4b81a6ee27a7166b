"""Keeps the requests and answers of a session, for evidence, and withholds an answer on demand."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from pv_testing.core.errors import AmbiguousOutcome, IntegrationError, redact
from pv_testing.core.response import Response
from pv_testing.testing.finding import TrialEvidence
from pv_testing.transports.outgoing_request import OutgoingRequest

KEPT = 20
READ = 4_096
SHOWN = 600
WITHHELD = "the answer was withheld by the trial; the request has taken effect"


class Recorder:
    """Watches a session; set it as the session's ``watch``.

    Attributes:
        withheld: whether an answer was withheld since :meth:`withhold`.
        hides: whether files can't be read now, because one of them may be the answer that is withheld.
        drops: the number of files that were dropped since :meth:`withhold`.
    """

    def __init__(self) -> None:
        self._kept: deque[tuple[str, str]] = deque(maxlen=KEPT)
        self._waits = False
        self.withheld = False
        self.hides = False
        self.drops = 0

    def withhold(self) -> None:
        """Withhold the answer to the next request that must not be repeated, or to the next file."""
        self._waits, self.withheld, self.drops = True, False, 0

    def stop(self) -> None:
        """Withhold nothing any more."""
        self._waits = self.hides = False

    def dropped(self, place: str, content: bytes) -> None:
        """Keep a file that was dropped."""
        self.drops += 1
        self._kept.append((f"file {place} {content[:READ].decode('utf-8', 'replace')}".rstrip(), "none yet"))
        if self._waits:
            self._waits, self.withheld, self.hides = False, True, True

    def has_read(self, place: str, content: bytes) -> None:
        """Keep a file that was read as the answer to the one before; the same content once."""
        answer = f"file {place} {content[:READ].decode('utf-8', 'replace')}".rstrip()
        if self._kept and self._kept[-1][1] == "none yet":
            self._kept[-1] = (self._kept[-1][0], answer)
        elif not self._kept or self._kept[-1][1] != answer:
            self._kept.append((f"read {place}", answer))

    def __call__(self, call: OutgoingRequest, response: Response) -> None:
        """Keep one request with its answer.

        Raises:
            AmbiguousOutcome: its answer is withheld, which the caller takes for a connection that broke off.
        """
        if call.login:
            return
        self._kept.append((_request(call), f"{response.status} {response.text}".rstrip()))
        if self._waits and not call.repeatable:
            self._waits, self.withheld = False, True
            raise AmbiguousOutcome(WITHHELD)

    def broke(self, call: OutgoingRequest, error: IntegrationError) -> None:
        """Keep one request without an answer, with the cause; where the answer is withheld, the answer is kept.

        An answer that the system itself has lost need not be withheld any more.
        """
        if call.login or error.message == WITHHELD:
            return
        self._kept.append((_request(call), f"none: {error.message}"))
        if self._waits and call.written and not call.repeatable:
            self._waits, self.withheld = False, True

    def last(self, number: int = 1) -> Sequence[TrialEvidence]:
        """Return the newest requests and answers, the oldest of them first."""
        newest = list(self._kept)[-number:]
        return [TrialEvidence(_line(request), _line(answer)) for request, answer in newest]


def _request(call: OutgoingRequest) -> str:
    sent = call.data if isinstance(call.data, bytes) else b""
    body = sent[:READ].decode("utf-8", "replace")
    return f"{call.method} {call.url.raw_path_qs} {body}".rstrip()


def _line(text: str) -> str:
    return redact(" ".join(text.split()), SHOWN)
