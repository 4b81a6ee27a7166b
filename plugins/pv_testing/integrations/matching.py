"""Rows of a listing, each compared with the business key that was asked for: a system may ignore what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pv_testing.contracts.model import Contract
from pv_testing.contracts.paths import Getter, getter
from pv_testing.core.errors import ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.providers.unasked import IGNORED

Row = Mapping[str, Any]
Key = str | None


class KeyedListing(NamedTuple):
    """Where the rows of a listing have the business key.

    Attributes:
        ours: what the project calls it, for the listing's own map.
        word: the criterion of the listing, and the guide's name of the field.
        written: the operations whose look-ups read such rows.
    """

    ours: str
    word: str
    written: tuple[str, ...]


LISTINGS: Mapping[str, KeyedListing] = {
    "get_tasks": KeyedListing("task_key", "external_id", ("create_task", "create_subtask")),
    "get_time_entries": KeyedListing("execution_id", "external_id", ("log_time_entry",)),
    "get_resource_usage": KeyedListing("usage_key", "external_id", ("log_resource_usage",)),
    "get_nc_reports": KeyedListing("execution_id", "external_id", ("create_nc_report",)),
    "get_capas": KeyedListing("capa_key", "external_id", ("create_capa",)),
    "get_invoices": KeyedListing("reference", "reference", ("create_invoice",)),
}


def matching(rows: Sequence[dict[str, Any]], key_of: Callable[[Row], Key], asked: str) -> list[dict[str, Any]]:
    """Return the rows that are about what was asked for.

    Args:
        rows: of a listing that was asked for one business key.
        key_of: says which record a row is; ``None`` or an empty text for somebody else's.
        asked: the business key.

    Raises:
        ResponseError: there are rows, but none of them is about it (``FILTER_IGNORED``): such an answer doesn't say
            that the record is absent.
    """
    matches: list[dict[str, Any]] = []
    others: list[str] = []
    for row in rows:
        key = key_of(row)
        if key == asked:
            matches.append(row)
        else:
            others.append(str(key))
    if others and not matches:
        raise ResponseError(IGNORED.format(min(others)[:200]), key=asked, code=Reason.FILTER_IGNORED)
    return matches


def key_reader(contract: Contract, listing: str) -> Callable[[Row], Key]:
    """Return what reads the business key of a row: by the listing's map, else as look-ups do, else by the guide's name.

    Args:
        contract: how the product is spoken to.
        listing: one of :data:`LISTINGS`.
    """
    ours, word, written = LISTINGS[listing]
    fields = contract.operation(listing).map
    if fields is not None and ours in fields.mapping:
        return _text(getter(fields.mapping[ours]))
    finds = [contract.operations[name].find for name in written if name in contract.operations]

    def key(row: Row) -> Key:
        for find in finds:
            if find is not None and find.found_key.has(row):
                return find.found_key.fill(row)
        if word in row:
            return _text(getter(word))(row)
        message = f"a row of {listing} has no {word}; say by `map` of {listing} where {ours} is"
        raise ResponseError(message, code=Reason.KEY_MISSING, excerpt=str(row))

    return key


def _text(get: Getter) -> Callable[[Row], Key]:
    def text(row: Row) -> Key:
        value = get(row)
        return None if value is None else str(value)

    return text
