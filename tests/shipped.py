"""The shipped configuration, filled in for a laboratory on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sandbox
from tests import yaml_text

PROJECT = Path(__file__).parents[1]


def variables(lab: sandbox.Lab) -> dict[str, str]:
    """Return what the shipped configuration wants to find in the environment."""
    known = lab.credentials
    return {
        **{f"{system.upper()}_BASE_URL": lab.url(system) for system in lab.origins},
        "FRAMEWORK_USERNAME": known.framework_username,
        "FRAMEWORK_PASSWORD": known.framework_password,
        "LIMS_API_KEY": known.lims_api_key,
        "QMS_CLIENT_ID": known.qms_client_id,
        "QMS_CLIENT_SECRET": known.qms_client_secret,
        "PM_API_TOKEN": known.pm_token,
        "ERP_CLIENT_ID": known.erp_client_id,
        "ERP_CLIENT_SECRET": known.erp_client_secret,
    }


def configuration(lab: sandbox.Lab, contracts: Mapping[str, Path]) -> dict[str, Any]:
    """Return the shipped configuration with addresses and secrets in it, for processes that find none elsewhere.

    Args:
        lab: where the systems are.
        contracts: other contracts than the shipped ones, by system.
    """
    text = (PROJECT / "config" / "integrations.yaml").read_text(encoding="utf-8")
    for name, value in variables(lab).items():
        text = text.replace(f"${{{name}}}", value)
    document: dict[str, Any] = yaml_text.load(text)
    for system in lab.origins:
        del document[system]["connection"]
    for system, path in contracts.items():
        document[system]["contract"] = str(path)
    return document


def impatient(contract: str, directory: Path, *, bulk: int = 0, **limits: float) -> Path:
    """Write a shipped contract with other limits, so that a killed attempt's leases end soon, and return its file.

    Args:
        contract: its name in ``include/mappings``.
        directory: where it is written.
        bulk: records of one bulk request; as shipped where it is 0.
        limits: of the contract's section.
    """
    document = yaml_text.read(PROJECT / "include" / "mappings" / f"{contract}.yaml")
    document["limits"].update(limits)
    for operation in document["operations"].values():
        if bulk and "bulk" in operation:
            operation["bulk"]["size"] = bulk
    path = directory / f"{contract}.yaml"
    path.write_text(yaml_text.dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path
