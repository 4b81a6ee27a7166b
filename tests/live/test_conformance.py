"""The conformance suite holds each contract against the product that it describes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import ClassVar

import pytest

from pv_testing.config import SystemConfig, system_config
from pv_testing.contracts import load_contract
from pv_testing.testing import TrialFinding, TrialVerdict
from pv_testing.testing.for_pytest import ContractTests
from sandbox.seed import CUSTOMERS
from tests.live.redmine import plan as redmine_plan
from tests.live.redmine.server import Server as Redmine
from tests.live.senaite import plan as senaite_plan
from tests.live.senaite.server import Server as Senaite
from tests.live.test_redmine_facts import Laboratory
from tests.live.tryton import plan as tryton_plan
from tests.live.tryton.server import Server as Tryton

pytestmark = pytest.mark.live

CUSTOMER = CUSTOMERS[0]
MEASURED = [f"PVTP-{number:03}" for number in (1, 2, 3, 10, 18, 19, 20, 30, 38)]
TODAY = datetime.now(timezone.utc).date()
IN_A_MONTH = (TODAY + timedelta(days=30)).isoformat()


class Product(ContractTests):
    """A product, of which every kind must be tried.

    Attributes:
        cannot: what is skipped because the product, its contract or the suite has no such thing, as check and key.
    """

    cannot: ClassVar[set[tuple[str, str]]] = set()

    def test_every_kind_is_tried(self, findings: list[TrialFinding], system: SystemConfig) -> None:
        kinds = {spec.name for spec in load_contract(system.contract).operations.values() if spec.kind}
        tried = {
            each.key.split(".")[1] for each in findings if (each.check, each.verdict) == ("once", TrialVerdict.HOLDS)
        }
        assert kinds == tried

    def test_only_what_is_not_there_is_skipped(self, findings: list[TrialFinding]) -> None:
        skipped = {(each.check, each.key) for each in findings if each.verdict is TrialVerdict.SKIPPED}
        assert {(check, key) for check, key in skipped if check != "clean"} == self.cannot

    def test_nothing_is_noted(self, findings: list[TrialFinding]) -> None:
        assert [str(finding) for finding in findings if finding.verdict is TrialVerdict.NOTED] == []


class TestSenaite(Product):
    # A client of a registered sample isn't ours to change; what is added is the analyses of further protocols.
    given: ClassVar = {
        "sample": {
            "customer_name": CUSTOMER,
            "customer": {"name": CUSTOMER},
            "protocols": MEASURED,
            "changed": {"protocols": [*MEASURED, "PVTP-044"]},
        }
    }
    # SENAITE has no object for a result set, and takes nothing in bulk.
    cannot: ClassVar = {("list", "operations.get_results.list"), ("bulk", "operations.update_sample_status.bulk")}

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, senaite: Senaite) -> SystemConfig:
        known = {"username": senaite_plan.INTEGRATION, "password": senaite_plan.INTEGRATION_PASSWORD}
        return system_config("lims", senaite.url, contract="lims_senaite", auth_type="basic", **known)


def _redmine(system: str, server: Redmine, project: str) -> SystemConfig:
    with Laboratory(server) as lab:
        fields = {"issue_key_field": lab.fields["issue"], "time_entry_key_field": lab.fields["time_entry"]}
    return system_config(
        system,
        server.url,
        contract=f"{system}_redmine",
        auth_type="api_key",
        api_key=redmine_plan.INTEGRATION_KEY,
        options={"project": project, **fields},
    )


class TestRedmineAsPm(Product):
    given: ClassVar = {
        "task": {"project_id": redmine_plan.PROJECT},
        "subtask": {"project_id": redmine_plan.PROJECT},
        "time_entry": {"user": redmine_plan.OPERATOR_MAIL},
    }
    cannot: ClassVar = {("list", "operations.update_project_progress"), ("bulk", "operations.update_task.bulk")}

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, redmine: Redmine) -> SystemConfig:
        return _redmine("pm", redmine, redmine_plan.PROJECT)


class TestRedmineAsQms(Product):
    cannot: ClassVar = {("list", "operations.attach_file")}

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, redmine: Redmine) -> SystemConfig:
        return _redmine("qms", redmine, redmine_plan.QUALITY)


class TestTryton(Product):
    # An invoice whose term has passed waits for a person in Tryton.
    given: ClassVar = {
        "invoice": {"invoice_date": TODAY.isoformat(), "due_date": IN_A_MONTH},
        "credit_note": {"invoice_date": TODAY.isoformat()},
        "stock_movement": {"date": TODAY.isoformat()},
        "consumable": {"item": tryton_plan.CLEANER, "date": TODAY.isoformat()},
    }
    # What is posted, moved or drawn stays as it is.
    cannot: ClassVar = {
        ("update", "operations.create_customer.on_change"),
        ("bulk", "operations.post_invoice.bulk"),
        ("list", "operations.create_credit_note"),
        ("update", "operations.create_credit_note.on_change"),
        ("update", "operations.record_stock_movement.on_change"),
        ("list", "operations.draw_consumable"),
        ("update", "operations.draw_consumable.on_change"),
    }

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tryton: Tryton) -> SystemConfig:
        known = {"username": tryton_plan.INTEGRATION, "password": tryton_plan.INTEGRATION_PASSWORD}
        return system_config("erp", tryton.url, contract="erp_tryton", auth_type="basic", **known)
