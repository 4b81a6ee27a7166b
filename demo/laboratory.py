"""The sandbox as one component of the demo, and the Airflow connections that lead to it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.airflow import PROJECT, plain_environment
from demo.processes import Component, Components
from sandbox import Credentials, Lab, Settings, ports_of
from sandbox.seed import CUSTOMERS

START_SECONDS = 60.0


def start(data: Path, components: Components, *arguments: str) -> Lab:
    """Start the sandbox as a process of its own and return it, ready to be driven.

    Args:
        data: the folder of its databases.
        components: stop it again.
        arguments: further ones of ``python -m sandbox``.
    """
    command = [sys.executable, "-m", "sandbox", "--data", str(data), *arguments]
    process = components.start("sandbox", command, plain_environment(), PROJECT)
    announcement = components.wait_for("Starting the sandbox", lambda: _announcement(process), seconds=START_SECONDS)
    lab = Lab(Settings(data), Credentials.kept(data), ports_of(announcement))
    for customer in CUSTOMERS:
        lab.know_customer(customer)
    return lab


def _announcement(process: Component) -> Mapping[str, Any] | None:
    for line in process.log.read_text().splitlines():
        if line.startswith("{") and line.endswith("}"):
            return dict(json.loads(line))
    return None


def connections(lab: Lab) -> dict[str, dict[str, Any]]:
    """Return the Airflow connections that lead to the sandbox, by their ids."""
    known = lab.credentials
    return {
        "pv_framework": {
            "conn_type": "pv_framework",
            "host": lab.framework_url,
            "login": known.framework_username,
            "password": known.framework_password,
            "extra": {"auth_type": "jwt"},
        },
        "pv_lims": {
            "conn_type": "pv_lims",
            "host": lab.lims_url,
            "password": known.lims_api_key,
            "extra": {
                "auth_type": "api_key",
                "provider": "Custom",
                "sample_url": f"{lab.lims_url}/samples/{{id}}",
            },
        },
        "pv_qms": {
            "conn_type": "pv_qms",
            "host": lab.url("qms"),
            "login": known.qms_client_id,
            "password": known.qms_client_secret,
            "extra": {"auth_type": "oauth2", "nc_url": f"{lab.url('qms')}/nc-reports/{{id}}"},
        },
        "pv_pm": {
            "conn_type": "pv_pm",
            "host": lab.url("pm"),
            "password": known.pm_token,
            "extra": {"auth_type": "bearer", "task_url": f"{lab.url('pm')}/tasks/{{id}}"},
        },
        "pv_erp": {
            "conn_type": "pv_erp",
            "host": lab.url("erp"),
            "login": known.erp_client_id,
            "password": known.erp_client_secret,
            "extra": {"auth_type": "oauth2", "invoice_url": f"{lab.url('erp')}/invoices/{{id}}"},
        },
    }
