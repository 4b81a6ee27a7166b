"""Whether a completed execution is a non-conformance, passes, or needs a person's look.

The framework says it twice, as ``qc_status`` and as ``pass_fail.overall``. Either FAIL makes a non-conformance; an
execution with neither a clear PASS nor a FAIL is listed for review; one with an unknown word waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from pv_testing.core.errors import DataError
from pv_testing.domain.reading import first, text
from pv_testing.domain.records import Criterion, Execution
from pv_testing.domain.verdict import QualityStatus, read_status

_PLACES = {
    "qc_status": ("results.qc_status", "qc_status"),
    "pass_fail": ("results.pass_fail.overall", "pass_fail.overall", "pass_fail_criteria.result"),
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the verdicts on an execution come to; without any of these it passes.

    Attributes:
        failed: that it is a non-conformance.
        remark: why a person should look at it: a contradiction, or a verdict that is neither PASS nor FAIL.
        problem: why it can't be judged.
    """

    failed: bool = False
    remark: str = ""
    problem: DataError | None = None

    @property
    def passes(self) -> bool:
        """Whether nothing is to be done."""
        return not (self.failed or self.remark or self.problem)


def judge(execution: Execution) -> Judgement:
    """Return the judgement on a completed execution.

    Args:
        execution: with its results.
    """
    words = {name: text(first(execution.raw, *paths)) for name, paths in _PLACES.items()}
    try:
        failed = bool(failed_criteria(execution))
    except DataError as error:
        return Judgement(problem=error)
    read, problem = {}, None
    for name, word in words.items():
        try:
            read[name] = read_status(word)
        except DataError as error:
            problem = error
    verdicts = ", ".join(f"{name} says {word or 'nothing'}" for name, word in words.items())
    given = {read.get(name) for name, word in words.items() if word}
    if QualityStatus.FAIL in given:
        return Judgement(failed=True, remark=f"{verdicts}: they contradict each other" if len(given) > 1 else "")
    if problem is not None:
        return Judgement(problem=problem)
    if given != {QualityStatus.PASS}:
        return Judgement(remark=verdicts)
    return Judgement(remark=f"{verdicts}, but a criterion failed" if failed else "")


def failed_criteria(execution: Execution) -> list[Criterion]:
    """Return the criteria that an execution failed.

    Raises:
        DataError: the verdict on a criterion is an unknown word.
    """
    return [each for each in execution.criteria if read_status(each.result) is QualityStatus.FAIL]
