"""Carries one record into a running system: under a key of its own, and with the ways in which an answer is lost."""

from __future__ import annotations

import uuid
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


def fresh() -> str:
    return uuid.uuid4().hex[:10]
