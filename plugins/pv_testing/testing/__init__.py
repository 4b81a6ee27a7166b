"""The conformance suite: tries the statements of a contract on a test system."""

from __future__ import annotations

from pv_testing.testing.finding import CHECKS, TrialEvidence, TrialFinding, TrialVerdict
from pv_testing.testing.replaying import replayed
from pv_testing.testing.suite import PATIENCE, try_system

__all__ = ["CHECKS", "PATIENCE", "TrialEvidence", "TrialFinding", "TrialVerdict", "replayed", "try_system"]
