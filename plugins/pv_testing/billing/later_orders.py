"""What was ordered otherwise after the invoice was posted: a person settles it, because a posted invoice is final.

A test that has waited here once is a person's matter from then on: part of it may be settled already, confirmed or not,
and the invoice alone no longer says how much of it was billed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from pv_testing.billing import BillingPolicy, Invoice
from pv_testing.billing.policy import ANNOUNCED
from pv_testing.core import keys
from pv_testing.core.errors import DataError
from pv_testing.core.records import Record
from pv_testing.domain.records import ServiceRequest
from pv_testing.domain.withdrawals import wanted_protocols
from pv_testing.ledger import Entry, Ledger, State
from pv_testing.workflow.withdrawals import withdrawn_from

# How much of a test is ordered, beside a number of modules: none, or some where numbers aren't compared or known.
WITHDRAWN, ORDERED = "withdrawn", "ordered"
_REST = re.compile(rf"(?:/(\d+|{WITHDRAWN}|{ORDERED})(?:/(\d+))?)?")

NONE: list[str] = []


class LaterOrder(NamedTuple):
    """What the ledger knows of one change of a test.

    Attributes:
        number: which settlement of the test it is, or would be.
        ordered: how much of the test was ordered.
        entry: of the record.
    """

    number: int
    ordered: str
    entry: Entry

    @classmethod
    def read(cls, place: str, entries: Iterable[Entry]) -> list[LaterOrder]:
        """Return those of one test in the order in which they were settled.

        Args:
            place: the key of the service request's number and the protocol. A key that says no more is of an earlier
                version, which didn't tell how much of an added test was ordered.
            entries: of any test.
        """
        orders: list[LaterOrder] = []
        for entry in entries:
            rest = _REST.fullmatch(entry.key, len(place)) if entry.key.startswith(place) else None
            if rest:
                orders.append(cls(int(rest[2] or 1), rest[1] or ORDERED, entry))
        return sorted(orders, key=lambda each: (each.number, each.entry.changed_at))

    @staticmethod
    def key(place: str, ordered: str, number: int) -> str:
        """Return the business key of a record, the counterpart of ``read``."""
        return keys.below(place, ordered, *([str(number)] if number > 1 else []))


class ManualAdjustments:
    """Which tests of one service request are a person's matter, and as what each was settled last.

    A record's key says how much was ordered: ``SR-2025-0123/PVTP-001/13`` is settled as thirteen modules. From the
    second one that is settled of a test on, a running number follows.

    Args:
        ledger: knows the records.
        sr_number: the service request's number.
        protocols: those that the request or its invoice has; others that waited before are remembered.
    """

    def __init__(self, ledger: Ledger, sr_number: str, protocols: Iterable[str]) -> None:
        self._ledger = ledger
        self._sr_number = sr_number
        self._name = f"erp/later_orders/{sr_number}"
        self._kept: list[str] = ledger.state(self._name, [])
        entries = list(ledger.entries("erp", "invoice", prefix=keys.prefix(keys.compose(sr_number))))
        # A key of an earlier version names nothing but the test, which the request may list no longer.
        parts = [keys.split(entry.key) for entry in entries]
        old = [own[1] for own in parts if len(own) == 2]
        self.protocols = list(dict.fromkeys([*protocols, *self._kept, *old]))
        self._shown = {each: LaterOrder.read(keys.compose(sr_number, each), entries) for each in self.protocols}

    def has(self, protocol: str) -> bool:
        """Whether a test has ever waited for a person."""
        return bool(self._shown.get(protocol))

    def settled(self, protocol: str) -> str:
        """Return how much was ordered of a test when it was settled last; empty where it never was."""
        return next(reversed(self._settled(protocol)), "")

    def _settled(self, protocol: str) -> list[str]:
        return [each.ordered for each in self._shown.get(protocol, ()) if each.entry.state is State.CONFIRMED]

    def key(self, protocol: str, ordered: str) -> str:
        """Return the business key of the next record of a test."""
        return LaterOrder.key(keys.compose(self._sr_number, protocol), ordered, len(self._settled(protocol)) + 1)

    def outdated(self, due: Iterable[Record]) -> list[str]:
        """Return the keys of what waits although it is ordered otherwise by now, or as it was settled.

        Args:
            due: what is to wait.
        """
        keys = {record.key for record in due}
        outdated: list[str] = []
        for shown in self._shown.values():
            waiting = [each.entry.key for each in shown if each.entry.state is State.QUARANTINED]
            outdated += [key for key in waiting if key not in keys]
        return outdated

    def keep(self, due: Iterable[Record]) -> None:
        """Remember which tests wait, before they do, in case the request lists them no longer one day."""
        new = {str(record.data["protocol_id"]) for record in due}
        if new - set(self._kept):
            self._ledger.update(self._name, lambda kept: sorted({*kept, *new}), NONE)


def later_orders(
    request: ServiceRequest,
    invoice: Invoice,
    policy: BillingPolicy,
    adjustments: ManualAdjustments,
    credited: Collection[str] = (),
) -> Iterator[Record]:
    """Give a record that waits for a person for each test that is ordered otherwise than it was billed or settled.

    A withdrawn test that is no person's matter isn't among them; a credit note gives it back.

    Args:
        request: as the framework has it.
        invoice: as it was posted.
        policy: whether quantities are the announced ones, which alone are compared.
        adjustments: what a person has settled.
        credited: protocols of the invoice that were given back.
    """
    counted = policy.quantity == ANNOUNCED
    billed = {line.protocol_id: str(line.quantity) if counted else ORDERED for line in invoice.lines}
    billed |= dict.fromkeys(credited, WITHDRAWN)
    ordered = str(request.quantity) if counted and request.quantity is not None else ORDERED
    now = dict.fromkeys(wanted_protocols(request) if request.assigned else (), ordered)
    now |= dict.fromkeys(withdrawn_from(request, adjustments.protocols), WITHDRAWN)
    for protocol in adjustments.protocols:
        before = adjustments.settled(protocol) or billed.get(protocol, WITHDRAWN)
        ordered = now.get(protocol, before)
        if not _same(before, ordered) and (ordered != WITHDRAWN or adjustments.has(protocol)):
            yield _waits(protocol, before, ordered, adjustments, given_back=protocol in billed)


def _same(before: str, ordered: str) -> bool:
    return before == ordered or (ORDERED in {before, ordered} and WITHDRAWN not in {before, ordered})


def _waits(protocol: str, before: str, ordered: str, adjustments: ManualAdjustments, *, given_back: bool) -> Record:
    how = "settled last" if adjustments.settled(protocol) else "billed"
    if before == WITHDRAWN:
        back = given_back or adjustments.settled(protocol)
        code = "ADDED_AFTER_INVOICE"
        change = (
            f"{protocol} is ordered again after it was given back"
            if back
            else f"{protocol} was added after the invoice"
        )
    elif ordered == WITHDRAWN:
        code = "CREDIT_BY_HAND"
        count = f"{before} modules of it were {how}" if before != ORDERED else f"it was {how}"
        change = f"{protocol} was withdrawn; {count}, of which you may have given back some since"
    else:
        code = "QUANTITY_CHANGED"
        change = f"{protocol}: {before} modules were {how}, {ordered} are ordered now"
    key = adjustments.key(protocol, ordered)
    reason = f"{change}; settle it in the ERP, then confirm this record with the id of what you made there"
    return Record(key, {"later_order": key, "protocol_id": protocol, "code": code}, DataError(reason, code=code))
