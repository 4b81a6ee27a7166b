"""What has changed in the framework since a sweep looked last, at the cost of the pages that list it.

The framework stamps its rows with its own clock, which may differ from ours by any amount. Therefore nothing here
compares the two: from the newest stamp that was seen, and from how long ago that was, follows an instant that the
framework's clock has surely passed. Listings begin a little before such an instant, because a row may be stamped before
it can be seen.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from pv_testing.core.errors import DataError, MappingError, NotFound, PermissionDenied, Rejected
from pv_testing.domain.days import moment
from pv_testing.domain.reading import first, text
from pv_testing.integrations.framework import FrameworkClient

log = logging.getLogger(__name__)

REQUESTS, EXECUTIONS = "list_service_requests", "list_executions"
SINCE = "updated_from"
# As many changed rows as may come again at every sweep; with more of them the sweep moves on although nothing is new.
FEW = 20

Row = Mapping[str, Any]


class Place(NamedTuple):
    """How far the listings of a sweep came.

    Attributes:
        mark: an instant that the framework's clock had reached when the last listing began.
        at: when that was on the ledger's clock.
        back: the ``mark`` before. The next listing begins there, so that each change is listed at least twice: a row
            that is moved from one page into another while they are read may be missed once.
    """

    mark: float
    at: float
    back: float

    def reached(self, at: float) -> float:
        """Return an instant that the framework's clock had surely reached.

        Args:
            at: a moment of the ledger's clock, not before the framework was asked for the first time.
        """
        return min(self.mark + at - self.at, at)

    @classmethod
    def after(cls, before: Place | None, rows: Iterable[Row], began: float, ended: float) -> Place | None:
        """Return how far a listing came, or ``None`` when no row says when it changed.

        Args:
            before: how far the one before it came; without one, or after the clock was set back, only the rows count.
            rows: what was listed.
            began: when the framework was first asked for it, on the ledger's clock.
            ended: when it was there.
        """
        known = [stamp - (ended - began) for stamp in map(stamp_of, rows) if stamp is not None]
        if before is not None:
            known.append(before.reached(began))
        if not known:
            return None
        mark = min(max(known), began)
        return cls(mark, began, mark if before is None else min(before.mark, mark))


def stamp_of(row: Row) -> float | None:
    """Return when a row has changed last, in epoch seconds of the framework's clock; ``None`` where it doesn't say."""
    try:
        return moment(row["updated_at"]).timestamp()
    except (KeyError, DataError, MappingError, TypeError, AttributeError):
        return None


def size_of(row: Row) -> int:
    """Return how many modules a listed service request has, or announces; 0 where it doesn't say."""
    module, modules = row.get("module"), row.get("modules")
    announced = module.get("quantity") if isinstance(module, dict) else None
    if isinstance(modules, list):
        return len(modules)
    return announced if isinstance(announced, int) else 0


def offers(framework: FrameworkClient, listing: str) -> bool:
    """Whether a listing can be asked for what has changed since an instant, as the contract says."""
    operations = framework.contract.operations
    return listing in operations and SINCE in operations[listing].call.query


async def changed_since(framework: FrameworkClient, listing: str, since: float, **criteria: Any) -> list[Row] | None:
    """Return the rows that have changed since an instant; ``None`` where the framework can't say that reliably.

    A deployment may leave the filter out of its contract, refuse it, or ignore it; the log says which.

    Args:
        framework: where they are.
        listing: ``list_service_requests`` or ``list_executions``.
        since: in epoch seconds of the framework's clock.
        criteria: what else the rows are to meet.
    """
    if not offers(framework, listing):
        return None
    wanted = datetime.fromtimestamp(since, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    rows: list[Row] = []
    try:
        async for row in (await framework.provider()).listing(listing, **{SINCE: wanted}, **criteria):
            stamp = stamp_of(row)
            # A millisecond for a framework that keeps fewer digits than it is asked with.
            if stamp is None or stamp < since - 0.001:
                log.warning("%s gives rows that %s %s doesn't ask for; everything is read", listing, SINCE, wanted)
                return None
            rows.append(row)
    except (Rejected, NotFound, PermissionDenied, DataError) as error:
        log.warning("%s with %s fails, therefore everything is read: %s", listing, SINCE, error)
        return None
    return rows


def request_of(execution: Row) -> str:
    """Return the id of the service request that an execution belongs to; empty where its row doesn't say."""
    return text(first(execution, "sr_id", "service_request_id"))


def has_turned(name: str, at: float, now: float, period: float) -> bool:
    """Whether what is done once in a period is due.

    Each name has its own moment in the period, so that not all is due at once.

    Args:
        name: of what is done.
        at: when it was done last.
        now: the moment.
        period: in seconds.
    """
    own = zlib.crc32(name.encode("utf-8", "surrogatepass")) / 2**32 * period
    return (now - own) // period > (at - own) // period
