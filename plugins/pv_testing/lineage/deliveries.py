"""The lineage of events that were delivered to registered endpoints."""

from __future__ import annotations

from pv_testing.domain.datasets import DELIVERIES, EVENTS
from pv_testing.lineage.columns import Column, ColumnSource
from pv_testing.lineage.flows import Flow

COLUMNS = {"event": "name", "timestamp": "at", "data": "data"}
"""The fields of a delivered event, each with the column of the ledger's event."""


def deliveries_flow(delivered: int, failed: int, given_up: int) -> Flow:
    """Return the lineage of deliveries.

    Args:
        delivered: how many an endpoint has taken.
        failed: how many are tried again.
        given_up: how many wait for a person.
    """
    columns = tuple(Column(name, sources=(ColumnSource(EVENTS, source),)) for name, source in COLUMNS.items())
    reasons = {code: number for code, number in (("failed", failed), ("given_up", given_up)) if number}
    return Flow(DELIVERIES, columns, written=delivered, in_effect=delivered, reasons=reasons)
