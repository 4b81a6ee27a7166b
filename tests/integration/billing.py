"""A laboratory whose reports are approved, its ERP, and a person who looks into both."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

import sandbox
from pv_testing.billing import BillingPolicy
from pv_testing.billing.billing_step import LOOK_BACK_DAYS
from pv_testing.billing.crediting import credit_withdrawn_tests
from pv_testing.billing.invoice_state import APPROVED
from pv_testing.billing.invoicing import create_invoices
from pv_testing.billing.prices import PriceList
from pv_testing.core.sync import run
from pv_testing.exchange.report import Report
from pv_testing.integrations import ERPClient, FrameworkClient
from pv_testing.ledger import Ledger
from pv_testing.workflow.sweep import Sweep
from tests.unit.billing.orders import SELLER

SR = "SR-2025-0001"
CUSTOMER = "Solar Power Industries"
PRICES = {"PVTP-001": "33.335", "PVTP-002": "700.00", "PVTP-003": "600.00"}
BUYER = {
    "address": {"lines": ["Sonnenallee 1"], "postcode": "12045", "city": "Berlin", "country": "DE"},
    "vat_id": "DE999999999",
}


def policy(
    prices: Mapping[str, str] = PRICES,
    customers: Mapping[str, Any] | None = None,
    currency: str = "EUR",
    **changed: Any,
) -> BillingPolicy:
    """Return rules with 19 % tax; the customer is looked up by name unless ``customers`` says more."""
    some = prices or {"PVTP-999": "1.00"}  # a list without a price is refused
    listed = {protocol: [{"price": price}] for protocol, price in some.items()}
    usual = {"seller": SELLER, "tax": {"category": "S", "rate": "19"}, "customers": {CUSTOMER: BUYER}}
    own = {"customers": customers} if customers is not None else {}
    return BillingPolicy.of({**usual, **own, **changed}, PriceList.of({"currency": currency, "prices": listed}))


class Office:
    """The two steps of billing, run as the operators run them.

    Args:
        lab: where.
        ledger: what is remembered.
        rules: how the laboratory bills.
        settings: further ones of the ERP client, such as its contract.
    """

    def __init__(self, lab: sandbox.Lab, ledger: Ledger, rules: BillingPolicy, **settings: Any) -> None:
        self.lab = lab
        self.ledger = ledger
        self.rules = rules
        self.zone = ZoneInfo("Europe/Berlin")
        known = lab.credentials
        self.framework = FrameworkClient(
            lab.framework_url, username=known.framework_username, password=known.framework_password, ledger=ledger
        )
        self.erp = ERPClient(
            lab.url("erp"),
            client_id=known.erp_client_id,
            client_secret=known.erp_client_secret,
            ledger=ledger,
            owner="test",
            **settings,
        )

    def ids(self) -> list[int]:
        return [request["id"] for request in self.framework.list_service_requests()]

    def approve(self) -> None:
        for sr_id in self.ids():
            self.lab.advance(sr_id, "REPORTS_APPROVED")

    def step(self, workflow: Any, ids: list[int] | None = None, **options: Any) -> list[Report]:
        chosen = self.ids() if ids is None else ids
        common = {"policy": self.rules, "zone": self.zone}
        return list(run(workflow(self.framework, self.erp, chosen, **{**common, **options})))

    def bill(self, **options: Any) -> list[Report]:
        return self.step(create_invoices, **options)

    def bill_and_die(self, seconds: float) -> None:
        """Begin to bill and be gone after so many seconds, whatever is under way then."""
        work = create_invoices(self.framework, self.erp, self.ids(), policy=self.rules, zone=self.zone)
        with pytest.raises(asyncio.TimeoutError):
            run(asyncio.wait_for(work, seconds))

    def credit(self, **options: Any) -> list[Report]:
        return self.step(credit_withdrawn_tests, **options)

    def announce(self, modules: int, at: str) -> None:
        """Let the customer announce another number of modules."""
        changed = f"module = json_set(module, '$.quantity', {modules}), updated_at = '{at}'"
        self.in_framework(f"UPDATE service_requests SET {changed}")

    def documents(self, table: str) -> list[dict[str, Any]]:
        """Return the documents in the ERP's own database."""
        prefix = {"invoices": "INV", "credit_notes": "CRN", "customers": "CUST"}[table]
        rows = self.lab.rows("erp", f"SELECT * FROM {table} ORDER BY number")
        return [{**json.loads(row.pop("body")), **row, "id": f"{prefix}-{row['number']:06d}"} for row in rows]

    def invoices(self) -> list[dict[str, Any]]:
        return self.documents("invoices")

    def by_hand(self, method: str, path: str, body: Any) -> None:
        """Do what a person does in the ERP, apart from our client."""
        with requests.Session() as session:
            session.trust_env = False
            known = self.lab.credentials
            token = session.post(
                f"{self.lab.origins['erp']}/oauth/token",
                data={"grant_type": "client_credentials"},
                auth=(known.erp_client_id, known.erp_client_secret),
                timeout=20,
            ).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            url = f"{self.lab.url('erp')}/{path}"
            session.request(method, url, json=body, headers=headers, timeout=20).raise_for_status()

    def post_by_hand(self) -> None:
        """Post the only invoice as it is."""
        (invoice,) = self.invoices()
        self.by_hand("POST", f"invoices/{invoice['id']}/post", {"total": invoice["total"]})

    def correct_by_hand(self, quantity: str, total: str) -> None:
        """Bill another quantity on the only line of the only invoice."""
        (invoice,) = self.invoices()
        (line,) = invoice["line_items"]
        names = ("customer_id", "invoice_date", "due_date", "reference", "currency", "notes", "po_number", "tax_rate")
        kept = {name: invoice[name] for name in names}
        lines = [{**line, "quantity": quantity, "total": total}]
        self.by_hand("PUT", f"invoices/{invoice['id']}", {**kept, "line_items": lines})

    def due(self, sweep: str) -> list[int]:
        """Return the requests that the operators would take."""
        return sorted(Sweep(self.framework, self.ledger, sweep, (APPROVED,), days=LOOK_BACK_DAYS).due().values())

    def in_framework(self, sql: str) -> None:
        """Change the framework's own database."""
        self._change("framework", sql)

    def in_erp(self, sql: str) -> None:
        """Change the ERP's own database."""
        self._change("erp", sql)

    def _change(self, system: str, sql: str) -> None:
        with closing(sqlite3.connect(self.lab.settings.database(system))) as connection, connection:
            connection.execute(sql)

    def writes(self) -> list[dict[str, Any]]:
        """Return the requests that the ERP saw and that may have changed something."""
        return [each for each in self.lab.requests("erp") if each["method"] != "GET" and "token" not in each["path"]]

    def close(self) -> None:
        self.framework.close()
        self.erp.close()


@contextmanager
def offices(folder: Path) -> Iterator[Callable[..., Office]]:
    """Give a function that starts a laboratory whose reports are approved and returns its office.

    Args:
        folder: of the laboratory and of its ledger.
    """
    with ExitStack() as stack:

        def start(
            rules: BillingPolicy | None = None,
            *,
            known: bool = True,
            approved: bool = True,
            settings: Mapping[str, Any] | None = None,
            **plan: Any,
        ) -> Office:
            wanted = sandbox.SeedPlan(**{"state": "complete", "modules": 3, "protocols": 2, **plan})
            lab = stack.enter_context(sandbox.serve(folder / "lab", seed_plan=wanted))
            ledger = stack.enter_context(Ledger(f"sqlite:///{folder / 'ledger.sqlite'}"))
            office = stack.enter_context(closing(Office(lab, ledger, rules or policy(), **(settings or {}))))
            if known:
                lab.know_customer(CUSTOMER)
            if approved:
                office.approve()
            return office

        yield start


def outcome(reports: list[Report], operation: str, key: str = SR) -> Any:
    """Return the outcome of one record."""
    (report,) = (each for each in reports if each.operation == operation)
    (of_record,) = (each for each in report.outcomes if each.key == key)
    return of_record
