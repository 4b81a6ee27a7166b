"""The verdict on each measurement, and the rule that gave it.

A verdict is taken from the measurement itself, else from the criterion on its parameter, else from the execution. An
unknown word is never taken for PASS.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum

from pv_testing.core.errors import DataError
from pv_testing.core.reasons import Reason
from pv_testing.domain.records import Execution, Measurement


class QualityStatus(str, Enum):
    """The verdict on a measurement or an execution."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a credential
    FAIL = "FAIL"
    CONDITIONAL = "CONDITIONAL"
    UNDECIDED = "UNDECIDED"


_WORDS = {
    "pass": QualityStatus.PASS,
    "passed": QualityStatus.PASS,
    "approved": QualityStatus.PASS,
    "fail": QualityStatus.FAIL,
    "failed": QualityStatus.FAIL,
    "rejected": QualityStatus.FAIL,
    "conditional": QualityStatus.CONDITIONAL,
    "conditional pass": QualityStatus.CONDITIONAL,
    "warning": QualityStatus.CONDITIONAL,
    "": QualityStatus.UNDECIDED,
    "pending": QualityStatus.UNDECIDED,
    "pending review": QualityStatus.UNDECIDED,
    "in review": QualityStatus.UNDECIDED,
    "incomplete": QualityStatus.UNDECIDED,
    "needs correction": QualityStatus.UNDECIDED,
    "not checked": QualityStatus.UNDECIDED,
    "na": QualityStatus.UNDECIDED,
}


def read_status(word: str) -> QualityStatus:
    """Read a verdict in any of the framework's spellings.

    Args:
        word: as the framework said it; upper and lower case, underscores and spaces are the same.

    Raises:
        DataError: the word is unknown, so that a person must say what it means.
    """
    known = _WORDS.get(word.strip().lower().replace("_", " ").replace("-", " "))
    if known is None:
        words = ", ".join(sorted(w for w in _WORDS if w))
        raise DataError(f"unknown verdict {word[:40]!r}; known are {words}", code=Reason.STATUS_UNKNOWN)
    return known


def verdicts(execution: Execution) -> tuple[dict[str, QualityStatus], Counter[str]]:
    """Return the verdict on each parameter, and how many came from each rule.

    Args:
        execution: a completed execution.

    Raises:
        DataError: a word is unknown, or a measurement has no verdict at all.
    """
    overall = read_status(execution.qc_status)
    criteria = {criterion.parameter: criterion.result for criterion in execution.criteria}
    rules: Counter[str] = Counter()
    decided = {}
    for measurement in execution.measurements:
        rule, status = _decide(measurement, criteria.get(measurement.parameter, ""), overall)
        decided[measurement.parameter] = status
        rules[rule] += 1
    return decided, rules


def _decide(measurement: Measurement, criterion: str, overall: QualityStatus) -> tuple[str, QualityStatus]:
    for rule, word in (("measurement", measurement.qc_status), ("criterion", criterion)):
        status = read_status(word)
        if status is not QualityStatus.UNDECIDED:
            return rule, status
    if overall is QualityStatus.UNDECIDED:
        raise DataError(
            f"nothing decides on {measurement.parameter}: neither the execution nor a criterion; give the verdict",
            code=Reason.VERDICT_MISSING,
        )
    return "execution", overall
