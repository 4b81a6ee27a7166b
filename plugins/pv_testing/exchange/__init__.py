"""The engine that brings each record into effect exactly once."""

from __future__ import annotations

from pv_testing.exchange.engine import Exchange
from pv_testing.exchange.operation import Operation, OperationLimits
from pv_testing.exchange.report import Report
from pv_testing.exchange.types import Found, Outcome, Payload, Prepared, Record, Reply, Result, Verdict

__all__ = [
    "Exchange",
    "Found",
    "Operation",
    "OperationLimits",
    "Outcome",
    "Payload",
    "Prepared",
    "Record",
    "Reply",
    "Report",
    "Result",
    "Verdict",
]
