"""Records are cut into the batches that one request each carries."""

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
    together = [item for item in items if item.key not in alone] if alone else items
    new = [item for item in together if not item.external_id]
    known = [item for item in together if item.external_id]
    single = [item for item in items if item.key in alone] if alone else []
    for part, size in ((new, limits.batch_size), (known, limits.change_batch_size), (single, 1)):
        for start in range(0, len(part), size):
            yield part[start : start + size]
