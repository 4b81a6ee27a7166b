"""Arguments in the integration guide's words: none is lost, and a missing one is named by the word of the guide."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from pv_testing.core.errors import MappingError
from pv_testing.core.problems import allowed
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Outcome, Result
from pv_testing.exchange.report import Report

Given = Mapping[str, Any]

_FIELD = re.compile(r"(Missing field: |^(?!Missing field: ))(\w+)")


def refuse_unknown(given: Given, known: Collection[str], where: str = "") -> None:
    """Return where every field that a caller gives is one that is carried.

    Args:
        given: the fields.
        known: those that are carried.
        where: the field that they are in, with a full stop at its end.

    Raises:
        MappingError: the first that would be lost (``FIELD_UNKNOWN``).
    """
    for name in given:
        if name not in known:
            text = f"{where}{name}: unknown field, which nothing would carry; {allowed(name, sorted(known))}"
            raise MappingError(text, code=Reason.FIELD_UNKNOWN)


def unknown(given: Given, known: Collection[str], where: str = "") -> MappingError | None:
    """Return the error that :func:`refuse_unknown` would raise, or ``None``."""
    try:
        refuse_unknown(given, known, where)
    except MappingError as error:
        return error
    return None


def in_words_of(report: Report, words: Mapping[str, str]) -> Report:
    """Name the fields of records that could not be mapped as the caller has called them.

    Args:
        report: what became of the records.
        words: the caller's name of each field that has another one in the project.
    """
    if words and report.counts()[Result.QUARANTINED.value]:
        report.outcomes = [_reworded(outcome, words) for outcome in report.outcomes]
    return report


def _reworded(outcome: Outcome, words: Mapping[str, str]) -> Outcome:
    if outcome.result is not Result.QUARANTINED:
        return outcome
    reason = _FIELD.sub(lambda match: match[1] + words.get(match[2], match[2]), outcome.reason)
    return outcome._replace(reason=reason)
