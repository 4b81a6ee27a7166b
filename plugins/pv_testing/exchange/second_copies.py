"""What may be in a system twice is looked up once more, after everything else is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pv_testing.core.errors import IntegrationError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Prepared
from pv_testing.exchange.operation import Operation
from pv_testing.ledger import Refusal

TRIES = 4
TWICE = (
    "the system holds {0} records with this key: remove all but one there, then release it, so that the next run takes "
    "the last"
)
NOT_CHECKED = (
    "it was sent twice, and the look-up that would show whether it is there twice failed ({0}): look in the system, "
    "remove a second one, then release it"
)

log = logging.getLogger(__name__)


class SecondCopies:
    """Looks for second copies of records.

    Args:
        operation: how they are looked up.
    """

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._items: dict[str, Prepared] = {}
        self._sent_twice: set[str] = set()

    def expect(self, items: Iterable[Prepared], *, sent_twice: bool) -> None:
        """Have records looked up.

        Args:
            items: the records.
            sent_twice: whether they have been sent twice, perhaps by two attempts, so that they must wait for a person
                where no look-up can tell.
        """
        for item in items:
            self._items[item.key] = item
            if sent_twice:
                self._sent_twice.add(item.key)

    async def found(self) -> list[Refusal]:
        """Look the records up, and once more what an answer doesn't tell of; return those that must wait."""
        left, copies, why = list(self._items.values()), dict[str, int](), ""
        for _ in range(TRIES if left else 0):
            await asyncio.sleep(self._operation.limits.horizon)
            unclear, why = await self._look_up(left, copies)
            left = [item for item in left if item.key in unclear]
            if not left:
                break
        if left:
            name = self._operation.name
            log.warning("%s: no look-up tells whether %d records are there twice: %s", name, len(left), why)
        return list(self._refusals(copies, {item.key: why for item in left}))

    async def _look_up(self, items: Sequence[Prepared], copies: dict[str, int]) -> tuple[set[str], str]:
        """Count the copies; return the keys of which the answer tells nothing, and why it doesn't."""
        try:
            found = await self._operation.find(items)
        except IntegrationError as error:
            return {item.key for item in items}, error.message
        if found is None:
            untold = () if self._operation.limits.repeatable else items
            return {item.key for item in untold}, "the system offers no look-up"
        unclear: dict[str, str] = {}
        for key, each in found.items():
            if not each.unclear:
                copies[key] = each.copies
            if each.unclear or (each.others and each.copies == 1):
                unclear[key] = each.unclear or each.others
        return set(unclear), next(iter(unclear.values()), "")

    def _refusals(self, copies: Mapping[str, int], untold: Mapping[str, str]) -> Iterator[Refusal]:
        for key, item in self._items.items():
            if copies.get(key, 1) > 1:
                yield Refusal(key, item.fingerprint, Reason.DUPLICATE_IN_SYSTEM, TWICE.format(copies[key]))
            elif key in untold and key in self._sent_twice:
                yield Refusal(key, item.fingerprint, Reason.LOOKUP_REFUSED, NOT_CHECKED.format(untold[key]))
