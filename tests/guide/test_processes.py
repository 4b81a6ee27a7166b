"""The guide's samples leave one record of each however many processes run them: a client's ledger is a lasting one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import sandbox
from tests.forks import module_process
from tests.guide.test_qms_samples import STRAY_QUOTE

LEFT = {
    "lims": {"samples": 3, "results": 1},
    "qms": {"nc_reports": 1, "capas": 1},
    "pm": {"tasks": 3, "time_entries": 1, "resource_usage": 2},
    "erp": {"invoices": 1},
}


@pytest.mark.parametrize("system", LEFT)
def test_three_processes_leave_one_record_of_each(system: str, home: Path) -> None:
    with sandbox.serve() as lab:
        known = lab.credentials
        replaced = [
            (f"https://{system}.company.com/api{'/v2' if system == 'lims' else ''}", lab.url(system)),
            ("YOUR_API_KEY", known.lims_api_key),
            STRAY_QUOTE,
        ]
        customer = lab.know_customer("Solar Corporation") if system == "erp" else ""
        environment = {
            **os.environ,
            "AIRFLOW_HOME": str(home / "new"),
            "QMS_PASSWORD": known.qms_password,
            "PM_API_TOKEN": known.pm_token,
            "ERP_CLIENT_ID": known.erp_client_id,
            "ERP_CLIENT_SECRET": known.erp_client_secret,
        }
        command = ["tests.guide.process", system, json.dumps(replaced), customer]
        for number in range(3):
            log = home / f"process-{number}.log"
            with module_process(command, environment, log) as process:
                process.wait(120)
                assert process.poll() == 0, log.read_text(encoding="utf-8")
        assert {table: len(lab.rows(system, f"SELECT * FROM {table}")) for table in LEFT[system]} == LEFT[system]
