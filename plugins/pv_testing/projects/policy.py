"""How the laboratory keeps its projects: ``projects.yaml`` as one immutable object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timezone, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any

MEAN = "mean"
DURATION = "duration"
ROLES = ("operator", "engineer")


@dataclass(frozen=True, slots=True)
class HoursRule:
    """How long an operator works on one execution of a protocol.

    Attributes:
        ratio: the share of the execution's time that its operator works.
        cap: the most hours.
    """

    ratio: Decimal = Decimal(1)
    cap: Decimal = Decimal(8)

    def with_own(self, said: Mapping[str, Any]) -> HoursRule:
        """Return the rule with what a section of the file says otherwise."""
        own = {name: Decimal(str(said[name])) for name in ("ratio", "cap") if name in said}
        return HoursRule(own.get("ratio", self.ratio), own.get("cap", self.cap))


@dataclass(frozen=True)
class ProjectRules:
    """The laboratory's rules of project management.

    Attributes:
        progress: ``mean`` of the protocols, or weighted by their ``duration``.
        operator_hours: how long an operator works on an execution.
        protocols: the same for protocols that differ.
        roles: who is assigned: of the first of these roles that somebody active has.
        project: of service requests that name none; empty for none.
        zone: where calendar dates are taken.
    """

    progress: str = MEAN
    operator_hours: HoursRule = field(default_factory=HoursRule)
    protocols: Mapping[str, HoursRule] = field(default_factory=dict)
    roles: tuple[str, ...] = ROLES
    project: str = ""
    zone: tzinfo = timezone.utc

    @classmethod
    def read(cls, path: str | Path | None = None) -> ProjectRules:
        """Read ``projects.yaml``; the time zone is that of ``integrations.yaml``.

        Args:
            path: the file; the one beside the configuration file by default.

        Raises:
            ConfigError: for each thing that is wrong, with its place.
        """
        from pv_testing.config import lab_zone
        from pv_testing.config.policy import read_policy

        return cls.of(read_policy("projects", path), lab_zone())

    @classmethod
    def of(cls, said: Mapping[str, Any], zone: tzinfo = timezone.utc) -> ProjectRules:
        """Return the rules that a mapping of the shape of ``projects.yaml`` describes.

        Args:
            said: the mapping.
            zone: where calendar dates are taken.
        """
        hours = said.get("operator_hours") or {}
        usual = HoursRule().with_own(hours)
        own = {name: usual.with_own(section) for name, section in (hours.get("protocols") or {}).items()}
        return cls(
            progress=said.get("progress", MEAN),
            operator_hours=usual,
            protocols=own,
            roles=tuple(said.get("roles", ROLES)),
            project=said.get("project", ""),
            zone=zone,
        )

    def hours_rule(self, protocol_id: str) -> HoursRule:
        """Return how long an operator works on an execution of a protocol."""
        return self.protocols.get(protocol_id, self.operator_hours)
