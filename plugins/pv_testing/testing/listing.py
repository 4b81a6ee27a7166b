"""Checks that a listing holds every record once, with its key, and always in the same order."""

from __future__ import annotations

import asyncio
import copy
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pv_testing.contracts.model import Find, OperationSpec
from pv_testing.core import clock, keys
from pv_testing.core.errors import IntegrationError
from pv_testing.providers.by_files import ByFiles
from pv_testing.providers.rest import RestProvider
from pv_testing.testing.finding import LIST, TrialFinding
from pv_testing.testing.trial import ContractTrial, Findings
from pv_testing.transports import pagination

SMALL = 2
"""Records on a page, so that a few records fill several pages."""
FEW = 100
"""Rows of a whole listing up to which it is read on small pages, too."""
MOST = 5_000
PAUSE = 0.25
Row = dict[str, Any]
Rows = Sequence[Row]


class _Listing(NamedTuple):
    """A way to read a listing, and the records that it must hold.

    Attributes:
        rows: reads it on pages of some records; 0 for those of the contract.
        id: gives a row's id.
        key: gives a row's key; ``None`` where it has none.
        key_text: the template of the key.
        expected: the ids of the records that were created, by their keys.
    """

    rows: Callable[[int], Awaitable[Rows]]
    id: Callable[[Row], Any]
    key: Callable[[Row], str | None]
    key_text: str
    expected: Mapping[str, str]


async def listed(trial: ContractTrial) -> Findings:
    """List the records that were created, twice."""
    name = trial.example.listing
    spec = trial.setting.contract.operations.get(name)
    listing = _listing(trial, spec, trial.find) if spec and trial.find else None
    if listing is None:
        yield trial.skipped(LIST, "", f"the contract has no listing {name or 'of such records'}")
        return
    expected = listing.expected
    try:
        problem = await _problem(trial, listing)
    except IntegrationError as error:
        problem = f"{error.message} [{error.code}]"
    except _OtherWords:
        message = "can't be tried: the provider lists what such a record becomes, without the record's key"
        yield replace(trial.skipped(LIST, "", message), key=f"operations.{name}.list")
        return
    key = f"operations.{name}.list"
    if not problem and len(expected) <= SMALL:
        message = f"can't be tried: pages and order show with more than {SMALL} records; the trial has {len(expected)}"
        yield replace(trial.skipped(LIST, "", message), key=key)
    elif problem:
        yield replace(trial.fails(LIST, "", problem, *trial.recorder.last(2)), key=key)
    else:
        yield TrialFinding(
            LIST, key, f"holds each of {len(expected)} records once, with its key, in the same order each time"
        )


class _OtherWords(Exception):
    """The rows of a listing aren't those records."""


def _listing(trial: ContractTrial, spec: OperationSpec, find: Find) -> _Listing | None:
    """Return how a listing is read: as the provider does where it has code of its own for it, else by the contract."""
    data = next(iter(trial.made.values())).data
    items = trial.made.values()
    if spec.list_file is not None:
        return _Listing(_of_file(trial, spec, data), find.id, find.found_key.fill, find.found_key.text, _known(trial))
    if _has_own_listing(trial.provider):
        fields = trial.example.row
        criteria = {name: data[ours] for name, ours in trial.example.shared.items()}

        def key_of(row: Row) -> str | None:
            parts = [str(row.get(field) or "") for field in fields]
            if not all(parts):
                return None
            return parts[0] if len(parts) == 1 else keys.compose(*parts)

        async def provided(size: int) -> Rows:
            provider = _on_pages(trial.provider, spec, size) if size else trial.provider
            rows: list[Row] = []
            async for row in provider.listing(spec.name, **criteria):
                rows.append(row)
                if len(rows) >= MOST:
                    break
            if rows and all(set(fields).isdisjoint(row) for row in rows):
                raise _OtherWords
            return rows

        expected = {item.key: item.external_id for item in items}
        return _Listing(provided, lambda row: row.get("id"), key_of, ", ".join(fields), expected)
    if spec.pagination is None:
        return None
    return _Listing(
        lambda size: _rows(trial, spec, data, size), find.id, find.found_key.fill, find.found_key.text, _known(trial)
    )


def _of_file(trial: ContractTrial, spec: OperationSpec, data: Mapping[str, Any]) -> Callable[[int], Awaitable[Rows]]:
    """Return what reads a list that is a file, narrowed down to the trial's records where it takes criteria."""
    criteria = {name: data[ours] for name, ours in trial.example.shared.items() if _takes(spec, name)}

    async def rows(_: int) -> Rows:
        return [row async for row in trial.provider.listing(spec.name, **criteria)]

    return rows


def _known(trial: ContractTrial) -> dict[str, str]:
    """Return the ids of the records that were created, by their keys in the system's words."""
    return {key: item.external_id for item in trial.made.values() if (key := trial.key_of(item))}


def _has_own_listing(provider: RestProvider) -> bool:
    """Whether the product has code of its own for listings; a list that is a file needs none."""
    kinds = [kind for kind in type(provider).__mro__ if "listing" in vars(kind) and kind is not ByFiles]
    return kinds[0] is not RestProvider


def _on_pages(provider: RestProvider, spec: OperationSpec, size: int) -> RestProvider:
    """Return the same provider with a contract that reads a listing on pages of some records."""
    contract = provider.contract
    pages = spec.pagination and replace(spec.pagination, page_size=size)
    other = copy.copy(provider)
    other.contract = replace(
        contract,
        pagination=replace(contract.pagination, page_size=size),
        operations={**contract.operations, spec.name: replace(spec, pagination=pages)},
    )
    return other


async def _problem(trial: ContractTrial, listing: _Listing) -> str:
    """List twice and return the problem; empty when all is well."""
    first = await _complete(trial, listing)
    problem = _without_key(first, listing) or _incomplete(first, listing)
    if problem:
        return problem
    second = await listing.rows(SMALL if len(first) <= FEW else 0)
    return _incomplete(second, listing) or _unstable(first, second, listing)


async def _complete(trial: ContractTrial, listing: _Listing) -> Rows:
    """List until every record is there, or patience is at its end."""
    until = clock.seconds() + trial.patience
    while True:
        rows = await listing.rows(0)
        if clock.seconds() > until or _without_key(rows, listing) or not _incomplete(rows, listing):
            return rows
        await asyncio.sleep(PAUSE)


async def _rows(trial: ContractTrial, spec: OperationSpec, data: Mapping[str, Any], size: int) -> Rows:
    """Return the rows of a listing, on small pages where it is narrowed down to the trial's records."""
    assert spec.pagination is not None
    criteria = {name: data[ours] for name, ours in trial.example.shared.items() if _takes(spec, name)}
    request = spec.call.request(criteria)
    pages = replace(spec.pagination, page_size=SMALL if criteria else size) if criteria or size else spec.pagination
    classify = trial.setting.contract.classify(spec)
    rows: list[Row] = []
    session = trial.provider.session
    async for row in pagination.items(
        session, request.path, pages, request.params, operation=spec.name, classify=classify
    ):
        rows.append(row)
        if len(rows) >= MOST:
            break
    return rows


def _takes(spec: OperationSpec, name: str) -> bool:
    return name in spec.call.query or name in spec.call.path.names


def _without_key(rows: Rows, listing: _Listing) -> str:
    """Name a record that is listed without the key by which it would be known."""
    ids = {external_id: key for key, external_id in listing.expected.items() if external_id}
    for row in rows:
        own = str(listing.id(row) or "")
        key = listing.key(row)
        if own in ids and key != ids[own]:
            return (
                f"lists {own} without its key {listing.key_text}"
                if key is None
                else (f"lists {own} as {key}, which is {ids[own]}")
            )
    return ""


def _keys(rows: Rows, listing: _Listing) -> list[str]:
    return [key for row in rows if (key := listing.key(row)) in listing.expected and key is not None]


def _incomplete(rows: Rows, listing: _Listing) -> str:
    seen = Counter(_keys(rows, listing))
    missing = [key for key in listing.expected if not seen[key]]
    twice = [key for key, times in seen.items() if times > 1]
    if twice:
        return f"lists {twice[0]} {seen[twice[0]]} times; its order wanders from page to page, or it is there twice"
    return (
        f"doesn't list {missing[0]} and {len(missing) - 1} more of {len(listing.expected)} that were created"
        if missing
        else ""
    )


def _unstable(first: Rows, second: Rows, listing: _Listing) -> str:
    before, after = _keys(first, listing), _keys(second, listing)
    if before == after:
        return ""
    return f"its order wanders: first {before[:3]}, then {after[:3]}; pages of it can lose some records"
