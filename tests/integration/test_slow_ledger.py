"""A ledger that is slow, or locked by another process, never stops the event loop, whatever step asks it."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from contextlib import closing
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

import sandbox
from pv_testing.auditing.comparison import compare_trails
from pv_testing.auditing.trail import send_framework_events, send_ledger_events
from pv_testing.billing import BillingPolicy
from pv_testing.billing.crediting import credit_withdrawn_tests
from pv_testing.billing.invoicing import create_invoices
from pv_testing.core.sync import run
from pv_testing.integrations import ERPClient, FrameworkClient, LIMSClient, PMClient, QMSClient
from pv_testing.inventory import InventoryPolicy
from pv_testing.inventory.stock import draw_consumables, move_stock
from pv_testing.ledger import Ledger
from pv_testing.projects import ProjectRules
from pv_testing.projects.task_updates import update_tasks
from pv_testing.projects.tasks import create_tasks
from pv_testing.projects.time_entries import log_hours
from pv_testing.quality.capas import find_findings, raise_capas
from pv_testing.quality.nonconformances import report_non_conformances
from pv_testing.samples.intake import create_samples
from pv_testing.samples.results import upload_results
from pv_testing.samples.statuses import pull_statuses, push_statuses
from pv_testing.workflow.sweep import Sweep
from tests.integration.billing import CUSTOMER, policy

SLOW = 0.002
ZONE = ZoneInfo("Europe/Berlin")


class SlowLedger(Ledger):
    """A ledger whose database takes its time, and which notes who asks it in an event loop's own thread."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.blocked: list[str] = []
        event.listen(self._store.engine, "before_cursor_execute", self._slow)

    def _slow(self, *_: object) -> None:
        time.sleep(SLOW)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        ours = [each for each in traceback.extract_stack() if "/pv_testing/" in each.filename]
        outside = [each for each in ours if "/ledger/" not in each.filename]
        self.blocked.append(f"{outside[-1].filename.rpartition('/pv_testing/')[2]}:{outside[-1].lineno}")


class Laboratory:
    """Everything that the project does for one laboratory."""

    def __init__(self, lab: sandbox.Lab, ledger: Ledger) -> None:
        self.lab, self.ledger = lab, ledger
        known = lab.credentials
        user = {"username": known.framework_username, "password": known.framework_password}
        self.framework = FrameworkClient(lab.framework_url, ledger=ledger, **user)
        self.lims = LIMSClient(lab.lims_url, api_key=known.lims_api_key, ledger=ledger)
        qms = {"client_id": known.qms_client_id, "client_secret": known.qms_client_secret}
        self.qms = QMSClient(lab.url("qms"), ledger=ledger, **qms)
        self.pm = PMClient(lab.url("pm"), token=known.pm_token, ledger=ledger)
        erp = {"client_id": known.erp_client_id, "client_secret": known.erp_client_secret}
        self.erp = ERPClient(lab.url("erp"), ledger=ledger, **erp)

    def close(self) -> None:
        for client in (self.framework, self.lims, self.qms, self.pm, self.erp):
            client.close()

    async def everything(self) -> None:
        ids = [1]
        inventory = InventoryPolicy.of(
            {
                "states": {"received": "INSPECTION_COMPLETE", "stored": "TESTING_COMPLETE", "leaving": "CLOSED"},
                "consumables": {"PVTP-001": {"CLEANER": {"quantity": "0.05", "unit": "l"}}},
            }
        )
        stock = {"policy": inventory, "zone": ZONE}
        billing: dict[str, BillingPolicy | ZoneInfo] = {"policy": policy(), "zone": ZONE}
        rules = ProjectRules()
        await create_samples(self.framework, self.lims, ids)
        await asyncio.to_thread(self.lab.receive)
        for step in (pull_statuses, upload_results, push_statuses):
            await step(self.framework, self.lims, ids)
        await report_non_conformances(self.framework, self.qms, ids)
        for step in (create_tasks, update_tasks, log_hours):
            await step(self.framework, self.pm, ids, rules=rules)
        for step in (move_stock, draw_consumables):
            await step(self.framework, self.erp, ids, **stock)
        await asyncio.to_thread(self.lab.advance, 1, "REPORTS_APPROVED")
        await create_invoices(self.framework, self.erp, ids, **billing)
        await create_invoices(self.framework, self.erp, ids, **billing)
        await asyncio.to_thread(self.lab.withdraw, 1, "PVTP-001")
        await credit_withdrawn_tests(self.framework, self.erp, ids, **billing)
        await find_findings(self.framework, self.qms, at=now())
        await raise_capas(self.qms)
        await send_ledger_events(self.qms)
        await send_framework_events(self.framework, self.qms)
        await compare_trails(self.qms)


def now():
    from datetime import datetime

    return datetime.now(ZONE)


@pytest.fixture
def laboratory(tmp_path):
    plan = sandbox.SeedPlan(state="complete", modules=3, protocols=2, failures=1.0)
    with sandbox.serve(tmp_path / "lab", seed_plan=plan) as lab:
        lab.know_customer(CUSTOMER)
        with SlowLedger(f"sqlite:///{tmp_path}/ledger.sqlite") as ledger, closing(Laboratory(lab, ledger)) as found:
            yield found


def test_no_step_asks_the_ledger_in_the_event_loop(laboratory, caplog):
    async def debugged() -> None:
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        try:
            await laboratory.everything()
        finally:
            loop.set_debug(False)

    with caplog.at_level(logging.WARNING, "asyncio"):
        run(debugged())
    assert sorted(set(laboratory.ledger.blocked)) == []
    assert not [record for record in caplog.records if "never awaited" in record.getMessage()]


def test_a_sweep_asks_the_ledger_outside_the_event_loop(laboratory):
    sweep = Sweep(laboratory.framework, laboratory.ledger, "lims/results", ("TESTING_COMPLETE",), executions="COMPLETE")
    sweep.due()
    assert sorted(set(laboratory.ledger.blocked)) == []
