"""How severe a non-conformance is and what its report proposes: ``quality.yaml`` as one immutable object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timezone, tzinfo
from pathlib import Path
from typing import Any

from pv_testing.domain.records import Criterion

MAJOR, MINOR = "MAJOR", "MINOR"
ELECTRICAL_SAFETY = tuple(f"PVTP-{number:03}" for number in range(10, 18))
BYPASS_DIODE = "PVTP-035"
CALIBRATION_DAYS = 30
_FLAGS = ("critical", "safety", "safety_critical", "severity", "category", "classification", "type")
_WEIGHTY = frozenset({"critical", "safety", "safety critical"})


@dataclass(frozen=True)
class CorrectiveActions:
    """What a report proposes.

    Attributes:
        default: where neither the protocol nor its category has a proposal of its own.
        categories: by the protocol's category.
        protocols: by the protocol's identifier.
        conditions: added where conditions were out of compliance.
        calibration: added where equipment was past its calibration date.
    """

    default: str = "Isolate the module, repeat the test on it and find the root cause."
    categories: Mapping[str, str] = field(default_factory=dict)
    protocols: Mapping[str, str] = field(default_factory=dict)
    conditions: str = "Repeat the test under compliant conditions."
    calibration: str = "Calibrate the equipment and repeat the test."

    def of(self, protocol_id: str, category: str) -> str:
        """Return the proposal for a protocol."""
        return self.protocols.get(protocol_id) or self.categories.get(category) or self.default


@dataclass(frozen=True)
class QualityPolicy:
    """The laboratory's rules for non-conformances.

    Attributes:
        critical_protocols: whose failure is major.
        critical_criteria: parameters whose failure is major, whatever the protocol.
        calibration_days: equipment is near its calibration date when it is due so many days after the test, or sooner.
        actions: what a report proposes.
        zone: the laboratory's time zone, which decides on which day a test was.
    """

    critical_protocols: frozenset[str] = frozenset({*ELECTRICAL_SAFETY, BYPASS_DIODE})
    critical_criteria: frozenset[str] = frozenset()
    calibration_days: int = CALIBRATION_DAYS
    actions: CorrectiveActions = field(default_factory=CorrectiveActions)
    zone: tzinfo = timezone.utc

    @classmethod
    def read(cls, path: str | Path | None = None) -> QualityPolicy:
        """Read ``quality.yaml``, and the laboratory's zone from the configuration.

        Args:
            path: the file; the one beside the configuration file by default.

        Raises:
            ConfigError: for each thing that is wrong, with its place.
        """
        from pv_testing.config import lab_zone
        from pv_testing.config.policy import read_policy

        return cls.of(read_policy("quality", path), lab_zone())

    @classmethod
    def of(cls, said: Mapping[str, Any], zone: tzinfo = timezone.utc) -> QualityPolicy:
        """Return the rules that a mapping of the shape of ``quality.yaml`` describes.

        Args:
            said: the mapping.
            zone: the laboratory's time zone.
        """
        lists = {name: frozenset(said[name]) for name in ("critical_protocols", "critical_criteria") if name in said}
        return cls(
            **lists,
            calibration_days=said.get("calibration_days", CALIBRATION_DAYS),
            actions=CorrectiveActions(**said.get("corrective_actions", {})),
            zone=zone,
        )

    def severity(self, protocol_id: str, failed: Iterable[Criterion]) -> str:
        """Return ``MAJOR`` for a critical protocol or a critical criterion among the failed ones, else ``MINOR``."""
        if protocol_id in self.critical_protocols:
            return MAJOR
        critical = (c.parameter in self.critical_criteria or marked_critical(c) for c in failed)
        return MAJOR if any(critical) else MINOR


def marked_critical(criterion: Criterion) -> bool:
    """Say whether the framework itself marks a criterion as critical or safety, in any of its ways to do so."""
    return any(_weighty(name, criterion.raw.get(name)) for name in _FLAGS)


def _weighty(name: str, said: Any) -> bool:
    if isinstance(said, bool):
        return said and name in {"critical", "safety", "safety_critical"}
    return isinstance(said, str) and said.strip().lower().replace("_", " ").replace("-", " ") in _WEIGHTY
