"""Cut records into batches, each of which one request carries."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pv_testing.core.records import Prepared
from pv_testing.exchange.operation import OperationLimits


def batches(items: Sequence[Prepared], limits: OperationLimits, alone: Collection[str]) -> Iterator[Sequence[Prepared]]:
    """Cut into batches; first versions and later ones are different requests and never share one.

    Args:
        items: the records.
        limits: how many one request carries.
        alone: the keys of records that are sent one by one, as a bulk answer didn't speak of them.
    """
    new: list[Prepared] = []
    known: list[Prepared] = []
    single: list[Prepared] = []
    for item in items:
        if item.key in alone:
            single.append(item)
        elif item.external_id:
            known.append(item)
        else:
            new.append(item)
    for part, size in ((new, limits.batch_size), (known, limits.change_batch_size), (single, 1)):
        for start in range(0, len(part), size):
            yield part[start : start + size]
