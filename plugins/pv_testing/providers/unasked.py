"""Answers to look-ups that hold other records than those that were asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pv_testing.core.errors import ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Found

LOOKED_UP, LOOKED_UP_EACH = 1_000, 20
"""The most records of an answer to a look-up: so many, and so many for each that was asked for."""

IGNORED = "the look-up found another record, {0}: the system ignores what it was asked for, or writes keys differently"


def with_unclear(found: Mapping[str, Found], asked: Mapping[str, str], seen: Iterable[str | None]) -> dict[str, Found]:
    """Return what a look-up found, and mark the records of which its answer tells nothing.

    A system that ignores the filter answers with a page of other records. Such an answer doesn't say that a record is
    absent; taking it so would create the record a second time. Of a record that it holds, further copies may stand on
    another page.

    Args:
        found: by business key.
        asked: the key in the system's words of each record that was asked for, by business key.
        seen: the keys in the system's words of everything in the answer.
    """
    others = {str(key) for key in seen} - set(asked.values())
    if not others:
        return dict(found)
    why = IGNORED.format(min(others)[:200])
    absent = dict.fromkeys(asked, Found("", unclear=why))
    return {**absent, **{key: each._replace(others=why) for key, each in found.items()}}


def most_looked_up(asked: int) -> int:
    """Return the most records that the answer to a look-up of so many may hold."""
    return LOOKED_UP + LOOKED_UP_EACH * asked


def refuse_too_many(found: Sequence[object], most: int | None) -> None:
    """Refuse the answer to a look-up that holds far more than what was asked for.

    Raises:
        ResponseError: it holds more than ``most`` (``FILTER_IGNORED``).
    """
    if most is not None and len(found) > most:
        message = f"the look-up found more than {most:,} records; the system ignores what it was asked for"
        raise ResponseError(message, code=Reason.FILTER_IGNORED)
