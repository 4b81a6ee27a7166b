"""Whether samples have arrived: a positive fact, read of each one by its id, and never its absence from a listing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from enum import Enum

from pv_testing.contracts.model import Contract
from pv_testing.core.errors import Action, ConfigError, IntegrationError, NotFound
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Found, Prepared, Record
from pv_testing.exchange.operation import Operation

STATUS = "update_sample_status"
REFUSED = frozenset({Action.REJECT, Action.QUARANTINE})

log = logging.getLogger(__name__)


class Receipt(Enum):
    """What the LIMS says of one sample; the value is said to people."""

    RECEIVED = "has been received"
    AWAITED = "is still awaited"
    UNCLEAR = "is neither awaited nor received"
    UNKNOWN = "can't be read"
    GONE = "isn't in the LIMS any more"
    DUPLICATE = "is in the LIMS more than once; cancel the others there"

    @property
    def code(self) -> str:
        """The reason code where a person must look; empty otherwise."""
        return _CODES.get(self, "")


_CODES = {
    Receipt.UNCLEAR: Reason.RECEIPT_UNCLEAR,
    Receipt.UNKNOWN: Reason.RECEIPT_UNKNOWN,
    Receipt.GONE: Reason.SAMPLE_GONE,
    Receipt.DUPLICATE: Reason.DUPLICATE_IN_SYSTEM,
}


async def read_receipts(operation: Operation, contract: Contract, sample_ids: Mapping[str, str]) -> dict[str, Receipt]:
    """Read samples by their ids, as the look-up of their statuses does.

    Args:
        operation: the contract's ``update_sample_status``.
        contract: has the words for awaited and received samples.
        sample_ids: their ids in the LIMS, by business key.

    Returns:
        What the LIMS says of each, by business key.

    Raises:
        ConfigError: the contract doesn't say how the status of a sample is looked up.
    """
    receipts: dict[str, Receipt] = {}
    left = dict(sample_ids)
    for receipt in (Receipt.RECEIVED, Receipt.AWAITED):
        word = contract.vocabulary("receipt").to_external[receipt.name]
        asked = [_asked(operation, key, sample_id, word) for key, sample_id in left.items()]
        receipts.update(await _look_up(operation, asked, receipt))
        left = {key: sample_id for key, sample_id in left.items() if receipts[key] is Receipt.UNCLEAR}
    return receipts


async def _look_up(operation: Operation, asked: Sequence[Prepared], wanted: Receipt) -> dict[str, Receipt]:
    """Look samples up; one whose look-up is refused holds up no other."""
    if not asked:
        return {}
    try:
        found = await operation.find(asked)
    except IntegrationError as error:
        if error.action not in REFUSED:
            raise
        if len(asked) == 1:
            log.warning("%s can't be read: %s", asked[0].key, error)
            return {asked[0].key: Receipt.GONE if isinstance(error, NotFound) else Receipt.UNKNOWN}
        middle = len(asked) // 2
        halves = [await _look_up(operation, half, wanted) for half in (asked[:middle], asked[middle:])]
        return {**halves[0], **halves[1]}
    if found is None:
        message = f"the contract must say by `find` of {STATUS} how the status of one sample is looked up by its id"
        raise ConfigError(message, system=operation.system, provider=operation.provider, code=Reason.NO_LOOKUP)
    return {item.key: _judged(found.get(item.key), wanted) for item in asked}


def _judged(found: Found | None, wanted: Receipt) -> Receipt:
    if found is None:
        return Receipt.GONE
    if found.unclear:
        return Receipt.UNKNOWN
    if found.copies > 1:
        return Receipt.DUPLICATE
    return wanted if found.in_effect else Receipt.UNCLEAR


def _asked(operation: Operation, key: str, sample_id: str, word: str) -> Prepared:
    record = Record(key, {"lims_sample_id": sample_id, "lims_status": word, "notes": ""})
    return Prepared(key, operation.prepare(record), fingerprint="")
