"""The conformance suite: tries on a test system what a contract says of it."""

from __future__ import annotations

from pv_testing.testing.finding import CHECKS, Evidence, Finding, Verdict
from pv_testing.testing.replaying import replayed
from pv_testing.testing.suite import PATIENCE, try_system

__all__ = ["CHECKS", "PATIENCE", "Evidence", "Finding", "Verdict", "replayed", "try_system"]
