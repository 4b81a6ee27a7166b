"""Tests of a service request that the customer doesn't want any more."""

from __future__ import annotations

from collections.abc import Mapping

from pv_testing.domain.reading import text
from pv_testing.domain.records import ServiceRequest

WITHDRAWN = ("WITHDRAWN", "CANCELLED")


def withdrawn_protocols(request: ServiceRequest) -> frozenset[str]:
    """Return the protocols that the request lists as withdrawn."""
    withdrawn: set[str] = set()
    for item in request.raw.get("protocols") or request.raw.get("assigned_protocols") or ():
        if isinstance(item, Mapping) and text(item.get("status")).upper() in WITHDRAWN:
            withdrawn.add(text(item.get("protocol_id")))
    return frozenset(withdrawn)


def wanted_protocols(request: ServiceRequest) -> list[str]:
    """Return the protocols of the request that aren't withdrawn, in its order."""
    withdrawn = withdrawn_protocols(request)
    return [protocol for protocol in request.protocols if protocol not in withdrawn]
