"""How severe a non-conformance is and what its report proposes: ``quality.yaml`` as one immutable object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from pv_testing.config.policy import ZonedPolicy
from pv_testing.core.model import Model, Names, Text
from pv_testing.domain.records import Criterion

MAJOR, MINOR = "MAJOR", "MINOR"
ELECTRICAL_SAFETY = tuple(f"PVTP-{number:03}" for number in range(10, 18))
BYPASS_DIODE = "PVTP-035"
CALIBRATION_DAYS = 30
_FLAGS = ("critical", "safety", "safety_critical", "severity", "category", "classification", "type")
_WEIGHTY = frozenset({"critical", "safety", "safety critical"})


class CorrectiveActions(Model):
    """What a report proposes."""

    default: Text = Field(
        "Isolate the module, repeat the test on it and find the root cause.",
        description="Where neither protocol nor category has its own.",
    )
    categories: Mapping[str, Text] = Field({}, description="By the protocol's category.")
    protocols: Mapping[str, Text] = Field({}, description="By the protocol's identifier.")
    conditions: Text = Field(
        "Repeat the test under compliant conditions.", description="Added where conditions were out of compliance."
    )
    calibration: Text = Field(
        "Calibrate the equipment and repeat the test.",
        description="Added where equipment was past its calibration date.",
    )

    def of(self, protocol_id: str, category: str) -> str:
        """Return the proposal for a protocol."""
        return self.protocols.get(protocol_id) or self.categories.get(category) or self.default


class QualityPolicy(ZonedPolicy):
    """The laboratory's rules for non-conformances; its time zone decides on which day a test was."""

    NAME: ClassVar[str] = "quality"
    model_config = ConfigDict(title="How severe a non-conformance is, and what its report proposes")

    critical_protocols: Names = Field(
        (*ELECTRICAL_SAFETY, BYPASS_DIODE),
        description="Protocols whose failure is Major; the electrical safety tests and PVTP-035 without it.",
    )
    critical_criteria: Names = Field(
        (), description="Parameters whose failure is Major, whatever the protocol; none without it."
    )
    calibration_days: int = Field(
        CALIBRATION_DAYS,
        ge=0,
        description="Days after the test within which a calibration that is due counts as near; 30 without it.",
    )
    corrective_actions: CorrectiveActions = CorrectiveActions()

    def severity(self, protocol_id: str, failed: Iterable[Criterion]) -> str:
        """Return ``MAJOR`` for a critical protocol or a critical criterion among the failed ones, else ``MINOR``."""
        if protocol_id in self.critical_protocols:
            return MAJOR
        critical = (c.parameter in self.critical_criteria or marked_critical(c) for c in failed)
        return MAJOR if any(critical) else MINOR


def marked_critical(criterion: Criterion) -> bool:
    """Say whether the framework itself marks a criterion as critical or safety, in any of its ways to do so."""
    return any(_weighty(name, criterion.raw.get(name)) for name in _FLAGS)


def _weighty(name: str, flag: Any) -> bool:
    if isinstance(flag, bool):
        return flag and name in {"critical", "safety", "safety_critical"}
    return isinstance(flag, str) and flag.strip().lower().replace("_", " ").replace("-", " ") in _WEIGHTY
