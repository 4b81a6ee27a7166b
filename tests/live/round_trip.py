"""A service request's way through real systems: each behind a fault proxy, and steps that can be killed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sandbox
from tests import yaml_text
from tests.live.senaite import plan
from tests.way import PROJECT, Way

API = "/senaite/@@API/senaite/v1"
# A registration of 45 analyses takes 2.5 s on an idle machine, and took over 26 s at a load of 11. One that ends later
# than the timeout and the horizon together makes a second sample, as docs/explanation/design.md says of the horizon.
BUSY = {"attempt_timeout": 40, "total_timeout": 45, "horizon": 10}
QUICK = {"attempt_timeout": 8, "total_timeout": 10, "horizon": 2}


@dataclass
class RoundTrip(Way):
    """Carries a service request through SENAITE, and through other systems.

    Attributes:
        lab: the framework, and the judge of what it holds.
        sections: the other systems' sections of the configuration.
    """

    lab: sandbox.Lab
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def variables(self) -> Mapping[str, str]:
        """Return the addresses and secrets."""
        credentials = self.lab.credentials
        return {
            "FRAMEWORK_BASE_URL": self.lab.framework_url,
            "FRAMEWORK_USERNAME": credentials.framework_username,
            "FRAMEWORK_PASSWORD": credentials.framework_password,
            "LIMS_BASE_URL": self.proxies[0].url + API,
            "LIMS_USERNAME": plan.INTEGRATION,
            "LIMS_PASSWORD": plan.INTEGRATION_PASSWORD,
        }

    def configuration(self) -> dict[str, Any]:
        """Return the shipped configuration, in which only what speaks of the real systems is another."""
        shipped = yaml_text.read(PROJECT / "config" / "integrations.yaml")
        return {
            "framework": {name: value for name, value in shipped["framework"].items() if name != "connection"},
            "lims": {
                "provider": "SENAITE",
                "contract": str(impatient(self.directory, **BUSY)),
                "base_url": "${LIMS_BASE_URL}",
                "auth_type": "basic",
                "username": "${LIMS_USERNAME}",
                "password": "${LIMS_PASSWORD}",
            },
            **self.sections,
        }


def impatient(directory: Path, **limits: float) -> Path:
    """Write the shipped contract with short deadlines, so that a killed attempt's leases end soon, and return its file.

    Args:
        directory: where it is written.
        limits: of the contract's section; without any, those for samples of a few analyses.
    """
    contract = yaml_text.read(PROJECT / "include/mappings/lims_senaite.yaml")
    contract["limits"].update(limits or QUICK)
    # In this laboratory a module is inspected when it is received.
    contract["vocabularies"]["receipt"]["in"] = {"sample_received": "INSPECTION_COMPLETE"}
    path = directory / "lims_live.yaml"
    path.write_text(yaml_text.dump(contract, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def storm(rate: float) -> list[dict[str, Any]]:
    """Return the faults that hit writes: lost answers, requests that never arrive, errors before and after the commit.

    Args:
        rate: the share of writes whose answer is lost after the commit; the others are rarer.
    """
    writes = f"POST {API}/*"
    return [
        {"route": writes, "kind": "drop_after", "rate": rate, "seed": 1},
        {"route": writes, "kind": "drop_before", "rate": rate / 4, "seed": 2},
        {"route": writes, "kind": "error", "status": 500, "rate": rate / 4, "seed": 3},
        {"route": writes, "kind": "html", "rate": rate / 4, "seed": 4},
        {"route": writes, "kind": "truncate", "rate": rate / 4, "seed": 5},
        {"route": writes, "kind": "rate_limit", "rate": rate / 4, "retry_after": 0.5, "seed": 6},
    ]
