"""What a product's own interface shows of the records that were carried: each of them, looked up once more."""

from __future__ import annotations

import asyncio
import pickle
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pv_testing.config import load_config
from pv_testing.core.records import Found, Prepared, Record
from pv_testing.exchange.refused import content_of
from pv_testing.integrations import connect
from pv_testing.ledger import Ledger
from tests.products.walks import Walk

Place = tuple[str, str]


@dataclass
class Reading:
    """What was looked up.

    Attributes:
        carried: the id in the ledger of each record that was carried, by kind and key.
        shown: what the product shows of it; nothing where it isn't there.
        without: the kinds for which the product offers no look-up.
    """

    carried: dict[Place, str] = field(default_factory=dict)
    shown: dict[Place, Found] = field(default_factory=dict)
    without: set[str] = field(default_factory=set)


def read_back(walk: Walk) -> Reading:
    """Look up everything that a walk has carried, by the product's own interface and not in its database.

    The reader has a ledger of its own, as the walk's remembers pauses by a clock that is ahead.
    """
    with Ledger(walk.ledger) as ledger, Ledger(f"sqlite:///{walk.directory / 'reader.sqlite'}") as pauses:
        return asyncio.run(_read(walk, ledger, pauses))


async def _read(walk: Walk, ledger: Ledger, pauses: Ledger) -> Reading:
    reading = Reading()
    system = load_config(walk.config).systems[walk.product.system]
    async with connect(system.ready(), ledger=pauses, owner="reader") as client:
        for name, records in _carried(walk.directory).items():
            operation = (await client.provider()).operation(name)
            items = list(_prepared(operation, records, ledger))
            found = await operation.find(items)
            if found is None:
                reading.without.add(operation.kind)
                continue
            reading.carried.update({(operation.kind, item.key): item.external_id for item in items})
            reading.shown.update({(operation.kind, key): each for key, each in found.items()})
    return reading


def _carried(directory: Path) -> Mapping[str, Mapping[str, Record]]:
    """Return the newest version of each record that attempts have wanted to carry, by operation and key."""
    carried: dict[str, dict[str, Record]] = defaultdict(dict)
    for path in sorted(directory.glob("*.carried")):
        with path.open("rb") as file:
            while file.peek():  # type: ignore[attr-defined]
                operation, records = pickle.load(file)
                carried[operation].update({record.key: record for record in records})
    return carried


def _prepared(operation: Any, records: Mapping[str, Record], ledger: Ledger) -> Iterator[Prepared]:
    known = ledger.states(operation.system, operation.kind, list(records))
    for record in records.values():
        payload, entry = operation.prepare(record), known[record.key]
        yield Prepared(
            record.key, payload, content_of(payload), entry.external_id, max(entry.revision, 1), data=record.data
        )
