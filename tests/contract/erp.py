"""The contract of an ERP provider, as tests that each provider's own test module inherits.

A module that tests a provider subclasses :class:`ERPContract` and gives a fixture ``site``. The same tests run against
the sandbox ERP and against real products. The clients are built from configuration alone; nothing here knows a product.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from pv_testing.core.errors import AuthenticationError, IntegrationError, NetworkError
from pv_testing.core.sync import run
from pv_testing.integrations import ERPClient
from pv_testing.ledger import Ledger
from sandbox.proxy import serve_proxy

LOST = ["drop_after", "drop_before", "truncate", "html", "error"]
TODAY = datetime.now(timezone.utc).date()
_numbers = itertools.count(int(time.time()) % 1_000_000 * 100)


@dataclass
class ErpSite:
    """A running ERP.

    Attributes:
        base_url: where it is.
        settings: what else its client is made with, credentials included.
        wrong: settings with credentials that are wrong.
        customer: the name of one that it knows.
        protocols: two that it can bill.
        tax_rate: in per cent, which it adds to both.
        product: what it calls a customer's module; empty where its contract says it.
        consumable: an item that tests use up, and its unit.
        write: the glob on ``METHOD /path`` of requests that write, for the fault proxy.
        strikes: how often a fault strikes.
    """

    base_url: str
    settings: dict[str, Any]
    wrong: dict[str, Any]
    customer: str
    protocols: tuple[str, str] = ("PVTP-001", "PVTP-018")
    tax_rate: str = "19"
    product: str = ""
    consumable: tuple[str, str] = ("CLEANER", "l")
    write: str = "POST /*"
    strikes: Mapping[str, Any] = field(default_factory=lambda: {"times": 1})

    @contextmanager
    def client(self, ledger: Ledger | None = None, **other: Any) -> Iterator[ERPClient]:
        """Give a client."""
        settings = {**self.settings, "base_url": self.base_url, **other}
        with ERPClient(
            settings.pop("base_url"), ledger=ledger or Ledger.in_memory(), owner="contract", **settings
        ) as erp:
            yield erp

    @contextmanager
    def failing(self, kind: str) -> Iterator[ERPClient]:
        """Give a client of the same ERP behind a proxy that loses or garbles the answers to some writes."""
        parts = urlsplit(self.base_url)
        with serve_proxy(f"{parts.scheme}://{parts.netloc}") as proxy:
            address = urlunsplit((*urlsplit(proxy.url)[:2], parts.path, "", ""))
            with self.client(base_url=address) as erp:
                erp.identity()
                after = {"when": "after"} if kind == "error" else {}
                proxy.faults({"route": self.write, "kind": kind, **after, **self.strikes})
                yield erp

    def invoice(self, customer_id: str, *prices: str, **other: Any) -> dict[str, Any]:
        """Return an invoice with a reference that no test has used before, three modules a line."""
        lines = [
            {"protocol_id": protocol, "description": f"{protocol}: a test", "quantity": 3, "unit_price": price}
            for protocol, price in zip(self.protocols, prices or ("350.00",), strict=False)
        ]
        return {
            "customer_id": customer_id,
            "invoice_date": TODAY,
            "due_date": TODAY + timedelta(days=30),
            "reference": f"SR-CT-{next(_numbers)}",
            "line_items": lines,
            "currency": "EUR",
            "tax_rate": self.tax_rate,
            **other,
        }

    def way(self, *movements: str, sr_number: str = "", day: Any = TODAY) -> list[dict[str, Any]]:
        """Return movements of a module that no test has used before."""
        number = sr_number or f"SR-CT-{next(_numbers)}"
        given = {"sr_number": number, "serial_number": f"SN-{number}", "date": day}
        product = {"product": self.product} if self.product else {}
        return [{**given, "movement": movement, **product} for movement in movements]

    def draw(self, quantity: str = "0.05") -> dict[str, Any]:
        """Return a draw of an execution that no test has used before."""
        item, unit = self.consumable
        return {"execution_id": str(next(_numbers)), "item": item, "quantity": quantity, "unit": unit, "date": TODAY}


class InvoicingContract:
    """Inherited by the tests of each ERP provider without a stock, which give the fixture ``site``."""

    @pytest.fixture
    def erp(self, site):
        with site.client() as client:
            yield client

    @pytest.fixture
    def customer_id(self, site, erp):
        return str(erp.find_customer(site.customer)["id"])

    def test_it_knows_as_whom_the_system_knows_us(self, erp):
        assert erp.identity()

    def test_wrong_credentials_are_noticed_even_where_the_system_answers(self, site):
        with site.client(**site.wrong) as stranger, pytest.raises(AuthenticationError):
            stranger.authenticate()

    def test_a_customer_is_created_once_and_found_by_name(self, site, erp):
        name = f"Customer {next(_numbers)}"
        assert erp.find_customer(name) is None
        made = erp.create_customer(name, email="invoices@customer.example")
        assert erp.find_customer(name)["id"] == made["id"]
        with site.client() as another:
            assert another.create_customer(name)["id"] == made["id"]

    def test_an_invoice_is_a_draft_once_and_found_by_its_reference(self, site, erp, customer_id):
        wanted = site.invoice(customer_id, "350.00", "1000.00")
        report = erp.create_invoices([wanted])
        assert report.counts()["created"] == 1, report.table()
        assert erp.create_invoices([wanted]).counts()["unchanged"] == 1
        existing = erp.find_invoice(wanted["reference"])
        assert existing["invoice_id"] == report.external_ids()[wanted["reference"]]
        assert (existing["status"], existing["subtotal"], existing["total"]) == (
            "DRAFT",
            "4050.00",
            self.gross(site, "4050.00"),
        )
        assert erp.get_invoice_status(existing["invoice_id"]) == "DRAFT"
        assert erp.find_invoice("no such reference") is None

    @staticmethod
    def gross(site: ErpSite, net: str) -> str:
        """Return an amount with tax; the nets of these tests come to whole cents of tax."""
        return str((Decimal(net) * (1 + Decimal(site.tax_rate) / 100)).quantize(Decimal("0.01")))

    def test_an_invoice_that_is_there_already_is_adopted(self, site, erp, customer_id):
        wanted = site.invoice(customer_id)
        made = erp.create_invoices([wanted]).external_ids()
        with site.client() as another:
            report = another.create_invoices([wanted])
        assert report.counts()["adopted"] == 1, report.table()
        assert report.external_ids() == made

    def test_a_changed_invoice_changes_its_draft(self, site, erp, customer_id):
        wanted = site.invoice(customer_id)
        (invoice_id,) = erp.create_invoices([wanted]).external_ids().values()
        line = {**wanted["line_items"][0], "unit_price": "400.00"}
        report = erp.create_invoices([{**wanted, "line_items": [line]}])
        assert report.counts()["updated"] == 1, report.table()
        (there,) = erp.list("get_invoices", reference=wanted["reference"])
        assert str(there["invoice_id"]) == invoice_id
        assert erp.get_invoice(invoice_id)["subtotal"] == "1200.00"

    def test_each_line_is_rounded_half_up(self, site, erp, customer_id):
        wanted = site.invoice(customer_id, "33.335")
        report = erp.create_invoices([wanted])
        report.raise_for_waiting()
        assert erp.find_invoice(wanted["reference"])["subtotal"] == "100.01"

    def test_a_draft_is_posted_once_and_stays_as_it_is(self, site, erp, customer_id):
        wanted = site.invoice(customer_id)
        (invoice_id,) = erp.create_invoices([wanted]).external_ids().values()
        total = erp.get_invoice(invoice_id)["total"]
        for _ in range(2):
            assert erp.post_invoice(invoice_id, total)["invoice_id"] == invoice_id
        assert erp.get_invoice_status(invoice_id) == "POSTED"
        assert invoice_id in {each["invoice_id"] for each in run(erp.aopen_invoices())}
        line = {**wanted["line_items"][0], "unit_price": "1.00"}
        refused = erp.create_invoices([{**wanted, "line_items": [line]}])
        assert refused.counts()["rejected"] == 1, refused.table()
        there = erp.get_invoice(invoice_id)
        assert (there["status"], there["total"]) == ("POSTED", total)

    def test_a_draft_that_comes_to_something_else_is_not_posted(self, site, erp, customer_id):
        (invoice_id,) = erp.create_invoices([site.invoice(customer_id)]).external_ids().values()
        with pytest.raises(IntegrationError):
            erp.post_invoice(invoice_id, "1.00")
        assert erp.get_invoice_status(invoice_id) == "DRAFT"

    def test_what_was_billed_is_given_back_once(self, site, erp, customer_id):
        wanted = site.invoice(customer_id)
        (invoice_id,) = erp.create_invoices([wanted]).external_ids().values()
        erp.post_invoice(invoice_id, erp.get_invoice(invoice_id)["total"])
        terms = {"currency": "EUR", "tax_rate": site.tax_rate, "customer_id": customer_id}
        note = (invoice_id, f"{wanted['reference']}/{site.protocols[0]}", TODAY, wanted["line_items"], "withdrawn")
        first = erp.create_credit_note(*note, **terms)
        assert erp.create_credit_note(*note, **terms)["id"] == first["id"] != invoice_id
        assert erp.get_invoice_status(invoice_id) in {"POSTED", "PAID"}

    @pytest.mark.parametrize("kind", LOST)
    def test_a_lost_or_garbled_answer_makes_neither_a_second_invoice_nor_none(self, site, customer_id, kind):
        wanted = [site.invoice(customer_id) for _ in range(3)]
        with site.failing(kind) as erp:
            report = erp.create_invoices(wanted)
        assert not report.not_in_effect(), report.table()
        with site.client() as erp:
            for each in wanted:
                (existing,) = erp.list("get_invoices", reference=each["reference"])
                assert str(existing["invoice_id"]) == report.external_ids()[each["reference"]]

    def test_a_system_that_cannot_be_reached_leaves_no_invoice_claimed(self, site, customer_id, tmp_path):
        wanted = site.invoice(customer_id)
        with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
            with (
                site.client(ledger, base_url="http://127.0.0.1:9") as nowhere,
                pytest.raises(NetworkError),
            ):
                nowhere.create_invoices([wanted]).raise_for_waiting()
            with site.client(ledger) as erp:
                assert erp.create_invoices([wanted]).counts()["created"] == 1


class ERPContract(InvoicingContract):
    """Inherited by the tests of each ERP provider that books the laboratory's stock, too."""

    def test_a_module_comes_and_goes_once_in_its_order(self, site, erp):
        received, stored, returned = site.way("RECEIVED", "STORED", "RETURNED")
        for movement in (received, stored, returned):
            report = erp.record_stock_movements([movement])
            assert report.counts()["created"] == 1, report.table()
        again = [erp.record_stock_movements([each]).counts()["unchanged"] for each in (received, stored, returned)]
        assert again == [1, 1, 1]
        assert self.moves(erp, returned) == ["RECEIVED", "STORED", "RETURNED"]

    def test_a_module_leaves_once(self, site, erp):
        way = site.way("RECEIVED", "STORED", "SCRAPPED", "RETURNED")
        for movement in way[:3]:
            erp.record_stock_movement(**movement)
        refused = erp.record_stock_movements([way[3]])
        assert refused.counts()["rejected"] == 1, refused.table()
        assert self.moves(erp, way[0]) == ["RECEIVED", "STORED", "SCRAPPED"]

    def test_a_module_that_has_not_come_cannot_go(self, site, erp):
        (stored,) = site.way("STORED")
        refused = erp.record_stock_movements([stored])
        assert refused.counts()["rejected"] == 1, refused.table()
        assert self.moves(erp, stored) == []

    @staticmethod
    def moves(erp: ERPClient, of: Mapping[str, Any]) -> list[str]:
        """Return the movements of a module that the ERP shows, each by its business key."""
        movements = []
        for movement in ("RECEIVED", "STORED", "RETURNED", "SCRAPPED"):
            key = f"{of['sr_number']}/{of['serial_number']}/{movement}"
            for row in erp.list("get_stock_movements", external_id=key):
                assert row["serial_number"] == of["serial_number"]
                movements.append(row["movement"])
        return movements

    def test_what_a_test_uses_up_is_drawn_once(self, site, erp):
        wanted = site.draw()
        report = erp.draw_consumables([wanted])
        assert report.counts()["created"] == 1, report.table()
        assert erp.draw_consumables([wanted]).counts()["unchanged"] == 1

    @pytest.mark.parametrize("kind", LOST)
    def test_a_lost_or_garbled_answer_neither_doubles_nor_loses_a_movement(self, site, kind):
        ways = [site.way("RECEIVED", "STORED", "RETURNED") for _ in range(3)]
        with site.failing(kind) as erp:
            reports = [erp.record_stock_movements([way[step] for way in ways]) for step in range(3)]
        assert [report.not_in_effect() for report in reports] == [[], [], []]
        with site.client() as erp:
            assert [self.moves(erp, way[0]) for way in ways] == [["RECEIVED", "STORED", "RETURNED"]] * 3

    def test_a_system_that_cannot_be_reached_leaves_no_movement_claimed(self, site, tmp_path):
        (received,) = site.way("RECEIVED")
        with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
            with (
                site.client(ledger, base_url="http://127.0.0.1:9") as nowhere,
                pytest.raises(NetworkError),
            ):
                nowhere.record_stock_movements([received]).raise_for_waiting()
            with site.client(ledger) as erp:
                assert erp.record_stock_movements([received]).counts()["created"] == 1
