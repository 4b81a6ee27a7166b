"""Carries one record into a running system, and the ways in which its answer is lost."""

from __future__ import annotations

from typing import Any

from pv_testing.core.records import Outcome, Record
from pv_testing.integrations.client import SystemClient

LOST = ["drop_after", "drop_before", "error", "html", "truncate"]


def carry(client: SystemClient, operation: str, key: str, **data: Any) -> Outcome:
    """Carry one record."""
    report = client.exchange(operation, [Record(key, data)])
    if report.error is not None:
        raise report.error
    (outcome,) = report.outcomes
    return outcome
