"""Which version of which result an analysis holds, and what has to happen to it.

SENAITE has no place for an execution or a revision. They are written into the remarks of the analysis together with a
checksum of the result; SENAITE write-protects both when the analysis is submitted, so that remarks and state are proof.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pv_testing.core.errors import Conflict
from pv_testing.core.reasons import Reason
from pv_testing.providers.senaite.analyses import GONE

EDITABLE = frozenset({"unassigned", "assigned"})
HELD = frozenset({"to_be_verified", "verified", "published"})
_MARK = re.compile(r"execution (?P<execution>.+), revision \d+ \[(?P<checksum>[0-9a-f]{12})\]")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One result as it is to be in SENAITE.

    Attributes:
        keyword: of the analysis.
        fields: those that are written into it besides the remarks: ``Result`` and perhaps ``Uncertainty``.
        unit: that the analysis must have.
        remarks: verdict, time and operator, as people read them.
    """

    keyword: str
    fields: Mapping[str, str]
    unit: str
    remarks: str

    @property
    def checksum(self) -> str:
        """What tells this version of the result from any other."""
        content = json.dumps([self.keyword, dict(self.fields), self.unit, self.remarks], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def marked(self, execution: str, revision: int) -> str:
        """Return the remarks that say where the result comes from."""
        return f"execution {execution}, revision {revision} [{self.checksum}]: {self.remarks}"

    def held_by(self, analysis: Mapping[str, Any], execution: str) -> bool:
        """Say whether an analysis holds this very version."""
        same = mark(analysis) == (execution, self.checksum) and analysis.get("getResult") == self.fields["Result"]
        return same and analysis["review_state"] in HELD


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to happen so that a result set is in effect.

    Attributes:
        order: keywords of analyses that the sample lacks.
        retract: analyses that hold an earlier version.
        submit: results whose analysis is open.
    """

    order: tuple[str, ...]
    retract: tuple[Mapping[str, Any], ...]
    submit: tuple[tuple[Wanted, Mapping[str, Any]], ...]

    @property
    def done(self) -> bool:
        """Whether nothing has to happen."""
        return not (self.order or self.retract or self.submit)


def mark(analysis: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return execution and checksum that the remarks of an analysis name, or ``None``."""
    match = _MARK.match(str(analysis.get("getRemarks") or ""))
    return (match["execution"], match["checksum"]) if match else None


def plan(analyses: Sequence[Mapping[str, Any]], wanted: Sequence[Wanted], execution: str) -> Plan:
    """Say what has to happen to a sample's analyses; called again after each step, it goes on where the last one ended.

    Args:
        analyses: all that the sample has.
        wanted: the results of one execution.
        execution: which one.

    Raises:
        Conflict: an analysis holds something that isn't ours to replace.
    """
    order: list[str] = []
    retract: list[Mapping[str, Any]] = []
    submit: list[tuple[Wanted, Mapping[str, Any]]] = []
    for result in wanted:
        analysis = _current(analyses, result.keyword)
        if analysis is None:
            order.append(result.keyword)
        elif result.held_by(analysis, execution):
            continue
        elif analysis["review_state"] in EDITABLE:
            _same_unit(result, analysis)
            submit.append((result, analysis))
        else:
            retract.append(_replaceable(analysis, execution))
    retract += _left_over(analyses, {result.keyword for result in wanted}, execution)
    return Plan(tuple(order), tuple(retract), tuple(submit))


def _current(analyses: Sequence[Mapping[str, Any]], keyword: str) -> Mapping[str, Any] | None:
    """Return the analysis that stands for a keyword now, or ``None`` where the sample never had one."""
    every = [analysis for analysis in analyses if analysis["getKeyword"] == keyword]
    current = [analysis for analysis in every if analysis["review_state"] not in GONE]
    if len(current) > 1:
        raise Conflict(f"the sample has {len(current)} analyses {keyword}; SENAITE should have one", code="OCCUPIED")
    if every and not current:
        message = f"the analysis {keyword} is {every[-1]['review_state']} in SENAITE; order it again there"
        raise Conflict(message, code="ANALYSIS_REJECTED")
    return current[0] if current else None


def _replaceable(analysis: Mapping[str, Any], execution: str) -> Mapping[str, Any]:
    """Return an analysis that holds an earlier version of the same execution and may be retracted."""
    keyword, state, marked = analysis["getKeyword"], analysis["review_state"], mark(analysis)
    if state not in HELD:
        message = f"the analysis {keyword} is {state}: receive the sample in SENAITE"
        raise Conflict(message, code="NOT_RECEIVED")
    if marked is None or marked[0] != execution:
        owner = f"the result of execution {marked[0]}" if marked else "a result that was entered by hand"
        raise Conflict(f"the analysis {keyword} holds {owner}; retract it in SENAITE or leave it", code="OCCUPIED")
    if state != "to_be_verified":
        message = f"the earlier result of {keyword} is {state} already; a person must invalidate it in SENAITE"
        raise Conflict(message, code="VERIFIED")
    return analysis


def _left_over(analyses: Sequence[Mapping[str, Any]], keywords: set[str], execution: str) -> list[Mapping[str, Any]]:
    """Return the analyses that an earlier version of the execution had and this one hasn't."""
    left: list[Mapping[str, Any]] = []
    for analysis in analyses:
        marked = mark(analysis)
        is_ours = marked is not None and marked[0] == execution
        if is_ours and analysis["review_state"] in HELD and analysis["getKeyword"] not in keywords:
            left.append(_replaceable(analysis, execution))
    return left


def _same_unit(result: Wanted, analysis: Mapping[str, Any]) -> None:
    unit = str(analysis.get("getUnit") or "")
    if unit != result.unit:
        message = f"the analysis {result.keyword} is in {unit or 'no unit'}, the result in {result.unit or 'none'}"
        raise Conflict(message, code=Reason.UNIT_DIFFERS)
