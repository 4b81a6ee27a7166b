"""Which tests of a service request are withdrawn, and since when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from pv_testing.core.values import instant
from pv_testing.domain.days import moment
from pv_testing.domain.reading import first, text
from pv_testing.domain.records import ServiceRequest
from pv_testing.domain.withdrawals import withdrawn_protocols
from pv_testing.ledger import Ledger


def withdrawn_from(request: ServiceRequest, billed: Sequence[str]) -> list[str]:
    """Return those of the billed protocols that are withdrawn.

    One is withdrawn that the request lists as such, or lists no longer. A request that lists no assigned ones at all
    says nothing, whatever was asked for in the beginning.

    Args:
        request: as the framework has it.
        billed: the protocols of its invoice.
    """
    marked = withdrawn_protocols(request)
    listed = set(request.protocols) if request.assigned else set()
    return [protocol for protocol in billed if protocol in marked or (listed and protocol not in listed)]


def withdrawn_at(ledger: Ledger, request: ServiceRequest, protocol: str, *, keep: bool) -> datetime:
    """Return when a protocol was withdrawn, as the framework said when that was first seen.

    Args:
        ledger: where that is remembered.
        request: as the framework has it.
        protocol: the withdrawn one.
        keep: whether a moment that is seen for the first time is remembered.

    Raises:
        DataError: the time that the framework says can't be read (``NOT_A_TIME``).
    """
    name = f"erp/withdrawn/{request.sr_number}"
    known: dict[str, str] = ledger.state(name, {})
    if protocol not in known:
        seen = {protocol: instant(_moment(request, protocol))}
        known = ledger.update(name, lambda kept: {**seen, **kept}, {}) if keep else seen
    return moment(known[protocol])


def _moment(request: ServiceRequest, protocol: str) -> Any:
    """Return when a protocol was withdrawn: what the framework says, else when the request changed last, else now."""
    listed: Iterable[Any] = request.raw.get("protocols") or ()
    for item in listed:
        if isinstance(item, Mapping) and text(item.get("protocol_id")) == protocol:
            withdrawn = first(item, "withdrawn_at", "cancelled_at", "updated_at")
            if withdrawn:
                return withdrawn
    return request.raw.get("updated_at") or datetime.now(timezone.utc)
