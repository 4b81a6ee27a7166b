"""What the ledger remembers of findings: their content, who is to decide on them, and what was decided.

A finding is kept under the digest of its content. An answer belongs to a digest, so that an approval creates what was
seen and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from pv_testing.core.errors import DataError
from pv_testing.ledger import Ledger
from pv_testing.quality.finding import CapaFinding, read_finding

ASKED = "capa/asked"
NONE_ASKED: list[str] = []
APPROVE, REJECT = "approve", "reject"
SYSTEM, KIND = "qms", "capa"

Change = Callable[[str | None], str]


@dataclass(frozen=True, slots=True)
class ApprovalAnswer:
    """A person's answer to a finding.

    Attributes:
        approved: whether its CAPA is to be raised.
        by: who has given it; empty where no person is asked.
        at: when, RFC 3339.
    """

    approved: bool
    by: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """The last finding of a scope that a person rejected.

    Attributes:
        by: who did.
        at: when.
        executions: the failures that the finding had.
    """

    by: str = ""
    at: str = ""
    executions: frozenset[str] = frozenset()


class Decisions:
    """Findings, questions and answers in a ledger.

    Args:
        ledger: where they are kept.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def ask(self, findings: Iterable[CapaFinding], also: Iterable[str] = ()) -> None:
        """Keep findings, and that they are to be decided on; earlier questions without an answer are dropped.

        Args:
            findings: those that were found.
            also: digests of earlier findings that are still to be dealt with.
        """
        digests = list(also)
        for finding in findings:
            self._ledger.set_watermark(_name("finding", finding.digest), finding.document())
            digests.append(finding.digest)
        self._put(ASKED, digests)

    def asked(self) -> list[str]:
        """Return the digests of the findings that are to be decided on or dealt with."""
        return list(self._ledger.state(ASKED, NONE_ASKED))

    def done(self, *digests: str) -> None:
        """Note that findings are dealt with."""
        self._ledger.update(ASKED, lambda asked: [each for each in asked if each not in digests], NONE_ASKED)

    def finding(self, digest: str) -> CapaFinding:
        """Return a finding.

        Raises:
            DataError: the ledger doesn't have it, or not as it was (``FINDING_UNKNOWN``, ``FINDING_CHANGED``).
        """
        document = self._ledger.watermark(_name("finding", digest))
        if document is None:
            message = "the ledger has no finding with this digest; run pv_capa again"
            raise DataError(message, key=digest[:12], code="FINDING_UNKNOWN")
        return read_finding(document, digest)

    def answer(self, digest: str, answer: ApprovalAnswer, *, owner: str = "") -> None:
        """Keep a person's answer to a finding, and write it into the audit trail.

        An approved finding is dealt with, although another question may have been asked since.

        Args:
            digest: the finding that the person saw.
            answer: of the person.
            owner: the task that asked.

        Raises:
            DataError: the ledger doesn't have the finding, or not as it was.
        """
        finding = self.finding(digest)
        marks: dict[str, Change] = {_name("answer", digest): lambda _: _json(asdict(answer))}
        if answer.approved:
            marks[ASKED] = lambda kept: _with(kept, digest)
        else:
            rejected = {"by": answer.by, "at": answer.at, "executions": sorted(finding.execution_ids)}
            marks[_name("rejected", finding.scope)] = lambda _: _json(rejected)
        self._ledger.record(
            APPROVE if answer.approved else REJECT,
            system=SYSTEM,
            kind=KIND,
            key=finding.key,
            owner=owner,
            detail={"finding": digest, "by": answer.by, "at": answer.at},
            marks=marks,
        )

    def answer_of(self, digest: str) -> ApprovalAnswer | None:
        """Return a person's answer to a finding, or ``None``.

        The audit trail says it: the last decision on the finding, in its place in the chain. What is kept beside it
        must agree.

        Raises:
            DataError: what is kept isn't what the trail says, or the trail is broken there (``APPROVAL_UNPROVEN``).
        """
        kept = self._get(_name("answer", digest))
        event = self._ledger.decision(SYSTEM, KIND, digest)
        proven = ApprovalAnswer(event.action == APPROVE, event.detail["by"], event.detail["at"]) if event else None
        if kept and ApprovalAnswer(**kept) != proven:
            message = (
                f"finding {digest[:12]}: the ledger has an answer of {kept.get('by') or 'no person'} that its audit "
                "trail doesn't; nothing is raised from it: see python -m pv_testing verify-audit"
            )
            raise DataError(message, key=digest[:12], code="APPROVAL_UNPROVEN")
        return proven

    def rejection(self, scope: str) -> Rejection:
        """Return the last rejection of a scope's finding; an empty one where there is none."""
        kept = self._get(_name("rejected", scope))
        return Rejection(kept["by"], kept["at"], frozenset(kept["executions"])) if kept else Rejection()

    def first_seen_closed(self, key: str, at: str) -> str:
        """Return since when a CAPA is known to be closed whose QMS doesn't say.

        Args:
            key: of the CAPA.
            at: now, kept where it is new.
        """
        return str(self._ledger.update(_name("closed", key), lambda kept: kept or at, ""))

    def _get(self, name: str) -> Any:
        return self._ledger.state(name, None)

    def _put(self, name: str, value: Any) -> None:
        self._ledger.update(name, lambda _: value, None)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _with(kept: str | None, digest: str) -> str:
    asked = list(orjson.loads(kept)) if kept else []
    return _json(asked if digest in asked else [*asked, digest])


def _name(fact: str, subject: str) -> str:
    return f"capa/{fact}/{subject}"
