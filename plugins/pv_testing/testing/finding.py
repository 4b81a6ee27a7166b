"""The findings of a trial, each in the words of the contract's own keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

IDENTITY = "identity"
CREATE = "create"
FIND = "find"
HORIZON = "horizon"
ABSENT = "absent"
BULK = "bulk"
LIST = "list"
UPDATE = "update"
STATES = "states"
WORDS = "words"
ONCE = "once"
REFUSED = "refused"
CLEAN = "clean"
CHECKS = (IDENTITY, CREATE, FIND, HORIZON, ABSENT, BULK, LIST, UPDATE, STATES, WORDS, ONCE, REFUSED, CLEAN)
"""The checks, in the order in which they run."""


class TrialVerdict(str, Enum):
    """Whether a statement of the contract holds; ``NOTED``: the system did more, and the contract allows for it."""

    HOLDS = "ok"
    FAILS = "FAILED"
    SKIPPED = "skipped"
    NOTED = "note"


@dataclass(frozen=True, slots=True)
class TrialEvidence:
    """A request and its answer, redacted and cut.

    Attributes:
        request: method, address and body.
        answer: status and body.
    """

    request: str
    answer: str

    def __str__(self) -> str:
        """Return two lines, which stand below a finding."""
        return f"        request {self.request}\n        answer  {self.answer}"


@dataclass(frozen=True, slots=True)
class TrialFinding:
    """The finding of one check on one part of a contract.

    Attributes:
        check: one of :data:`CHECKS`.
        key: of the contract's part, such as ``operations.create_sample.find``.
        message: the finding in words.
        verdict: whether the statement holds.
        evidence: the requests and answers that show it, where it doesn't.
    """

    check: str
    key: str
    message: str
    verdict: TrialVerdict = TrialVerdict.HOLDS
    evidence: Sequence[TrialEvidence] = ()

    def __str__(self) -> str:
        """Return one line, and a line for each request and each answer."""
        first = f"{self.verdict.value:<8}{self.key}: {self.message}"
        return "\n".join([first, *map(str, self.evidence)])
