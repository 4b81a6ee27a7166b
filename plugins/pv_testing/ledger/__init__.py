"""The database that knows the state of each record in each system, and everything that was done."""

from pv_testing.ledger.ledger import Ledger
from pv_testing.ledger.types import (
    AuditEvent,
    AuditSummary,
    Claim,
    Claimed,
    Decision,
    Entry,
    Refusal,
    Settlement,
    State,
)

__all__ = [
    "AuditEvent",
    "AuditSummary",
    "Claim",
    "Claimed",
    "Decision",
    "Entry",
    "Ledger",
    "Refusal",
    "Settlement",
    "State",
]
