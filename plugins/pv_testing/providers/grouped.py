"""From what a look-up found, by business key, to what it tells of each record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from pv_testing.core.records import Found, Prepared

Item = TypeVar("Item")


def found_by_key(
    batch: Sequence[Prepared],
    groups: Mapping[str, Sequence[Item]],
    describe: Callable[[Prepared, Sequence[Item]], Found],
) -> dict[str, Found]:
    """Return what a look-up found of each record; one of which it found nothing is left out.

    Args:
        batch: the records that were looked up.
        groups: what was found, by business key; several under one key are copies or versions.
        describe: says what one record's group means.
    """
    found: dict[str, Found] = {}
    for item in batch:
        group = groups.get(item.key)
        if group:
            found[item.key] = describe(item, group)
    return found
