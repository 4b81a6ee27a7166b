"""Answers to look-ups that hold other records than those that were asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pv_testing.core.records import Found

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
