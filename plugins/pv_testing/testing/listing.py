"""Does a listing hold every record once, with its key, and always in the same order?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pv_testing.contracts.model import Find, OperationSpec
from pv_testing.core import clock
from pv_testing.core.errors import IntegrationError
from pv_testing.testing.finding import LIST, Finding
from pv_testing.testing.trial import Findings, Trial
from pv_testing.transports import pagination

SMALL = 2
"""Records on a page, so that a few records fill several pages."""
FEW = 100
"""Rows of a whole listing up to which it is read on small pages, too."""
MOST = 5_000
PAUSE = 0.25
Rows = Sequence[dict[str, Any]]


async def listed(trial: Trial) -> Findings:
    """List the records that were created, twice."""
    name = trial.example.listing
    spec = trial.setting.contract.operations.get(name)
    if spec is None or spec.pagination is None or trial.find is None:
        yield trial.skipped(LIST, "", f"the contract has no listing {name or 'of such records'}")
        return
    expected = {key: item.external_id for item in trial.made.values() if (key := trial.key_of(item))}
    try:
        problem = await _problem(trial, spec, trial.find, expected)
    except IntegrationError as error:
        problem = f"{error.message} [{error.code}]"
    key = f"operations.{name}.list"
    if not problem and len(expected) <= SMALL:
        said = f"can't be tried: pages and order show with more than {SMALL} records; the trial has {len(expected)}"
        yield replace(trial.skipped(LIST, "", said), key=key)
    elif problem:
        yield replace(trial.fails(LIST, "", problem, *trial.recorder.last(2)), key=key)
    else:
        yield Finding(
            LIST, key, f"holds each of {len(expected)} records once, with its key, in the same order each time"
        )


async def _problem(trial: Trial, spec: OperationSpec, find: Find, expected: dict[str, str]) -> str:
    """List twice and say what is wrong; nothing where all is well."""
    first = await _complete(trial, spec, find, expected)
    problem = _without_key(first, find, expected) or _incomplete(first, find, expected)
    if problem:
        return problem
    second = await _rows(trial, spec, small=len(first) <= FEW)
    return _incomplete(second, find, expected) or _unstable(first, second, find, expected)


async def _complete(trial: Trial, spec: OperationSpec, find: Find, expected: dict[str, str]) -> Rows:
    """List until every record is there, or patience is at its end."""
    until = clock.seconds() + trial.patience
    while True:
        rows = await _rows(trial, spec)
        if clock.seconds() > until or _without_key(rows, find, expected) or not _incomplete(rows, find, expected):
            return rows
        await asyncio.sleep(PAUSE)


async def _rows(trial: Trial, spec: OperationSpec, *, small: bool = False) -> Rows:
    """Return the rows of a listing, on small pages where it is asked for or narrowed down to the trial's records."""
    assert spec.pagination is not None
    data = next(iter(trial.made.values())).data
    criteria = {name: data[ours] for name, ours in trial.example.shared.items() if _takes(spec, name)}
    request = spec.call.request(criteria)
    pages = replace(spec.pagination, page_size=SMALL) if criteria or small else spec.pagination
    classify = trial.setting.contract.classify(spec)
    rows: list[dict[str, Any]] = []
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


def _without_key(rows: Rows, find: Find, expected: dict[str, str]) -> str:
    """Name a record that is listed without the key by which it would be known."""
    ids = {external_id: key for key, external_id in expected.items() if external_id}
    for row in rows:
        own = str(find.id(row) or "")
        key = find.found_key.fill(row)
        if own in ids and key != ids[own]:
            return (
                f"lists {own} without its key {find.found_key.text}"
                if key is None
                else (f"lists {own} as {key}, which is {ids[own]}")
            )
    return ""


def _keys(rows: Rows, find: Find, expected: dict[str, str]) -> list[str]:
    return [key for row in rows if (key := find.found_key.fill(row)) in expected and key is not None]


def _incomplete(rows: Rows, find: Find, expected: dict[str, str]) -> str:
    seen = Counter(_keys(rows, find, expected))
    missing = [key for key in expected if not seen[key]]
    twice = [key for key, times in seen.items() if times > 1]
    if twice:
        return f"lists {twice[0]} {seen[twice[0]]} times; its order wanders from page to page, or it is there twice"
    return (
        f"doesn't list {missing[0]} and {len(missing) - 1} more of {len(expected)} that were created" if missing else ""
    )


def _unstable(first: Rows, second: Rows, find: Find, expected: dict[str, str]) -> str:
    before, after = _keys(first, find, expected), _keys(second, find, expected)
    if before == after:
        return ""
    return f"its order wanders: first {before[:3]}, then {after[:3]}; pages of it can lose some records"
