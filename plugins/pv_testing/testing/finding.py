"""What a trial of a contract has found: one finding each, in the words of the contract's own keys."""

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
    """Whether what a contract says holds; ``NOTED`` is what the system did besides, which its contract allows for."""

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
        """Say it in two lines, below a finding."""
        return f"        request {self.request}\n        answer  {self.answer}"


@dataclass(frozen=True, slots=True)
class TrialFinding:
    """What one check has found of one part of a contract.

    Attributes:
        check: one of :data:`CHECKS`.
        key: the key of the contract that it is about, such as ``operations.create_sample.find``.
        said: what was found.
        verdict: whether the contract is right.
        evidence: the requests and answers that show it, where it isn't.
    """

    check: str
    key: str
    said: str
    verdict: TrialVerdict = TrialVerdict.HOLDS
    evidence: Sequence[TrialEvidence] = ()

    def __str__(self) -> str:
        """Say it in one line, and each request and answer in a line of its own."""
        first = f"{self.verdict.value:<8}{self.key}: {self.said}"
        return "\n".join([first, *map(str, self.evidence)])
