"""Runs the integration guide's ERP samples against the sandbox, typed as printed but for the address.

The service request that the sample is given is the framework's own in the guide; here it is a plain object with the
same attributes.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import sandbox
from pv_testing.config import load_config

PRINTED = (Path(__file__).parent / "erp_samples.txt").read_text(encoding="utf-8")
CONFIGURATION = """
integrations:
  erp:
    provider: Custom
    base_url: "https://erp.company.com/api"
    auth_type: "mtls"
    client_cert: "/certs/client.crt"
    client_key: "/certs/client.key"
    ca_cert: "/certs/ca.crt"
"""


@pytest.fixture(scope="module")
def lab():
    with sandbox.serve() as served:
        yield served


@pytest.fixture
def guide(lab, monkeypatch):
    """The names that the sample defines."""
    monkeypatch.setenv("ERP_CLIENT_ID", lab.credentials.erp_client_id)
    monkeypatch.setenv("ERP_CLIENT_SECRET", lab.credentials.erp_client_secret)
    text = PRINTED.replace("https://erp.company.com/api", lab.url("erp"))
    names: dict[str, Any] = {"datetime": datetime, "timedelta": timedelta}
    exec(compile(text, "integration guide", "exec"), names)  # the guide's own words are what is tested
    yield SimpleNamespace(**names)
    names["erp"].close()


def service_request(number: str, customer: str, *prices: Any, quantity: int = 3) -> SimpleNamespace:
    saved: list[int] = []
    protocols = [
        SimpleNamespace(protocol_id=f"PVTP-{place:03d}", name="A Test", price_per_module=price)
        for place, price in enumerate(prices, start=1)
    ]
    return SimpleNamespace(
        sr_number=number,
        status="REPORTS_APPROVED",
        protocols=protocols,
        module=SimpleNamespace(quantity=quantity, model="M400"),
        customer=SimpleNamespace(erp_customer_id=customer),
        save=lambda: saved.append(1),
        saved=saved,
    )


def invoices(lab, number):
    rows = lab.rows("erp", "SELECT * FROM invoices WHERE external_id = ?", number)
    return [json.loads(row["body"]) for row in rows]


@pytest.mark.parametrize(
    ("number", "prices", "totals"),
    [
        ("SR-GUIDE-1", (500, 3000), ["1500.00", "9000.00"]),
        ("SR-GUIDE-2", (500.0, Decimal("33.335")), ["1500.00", "100.01"]),
        ("SR-GUIDE-3", (0.1, 33.335), ["0.30", "100.01"]),
    ],
)
def test_an_invoice_is_created_once_and_its_id_stored(guide, lab, number, prices, totals):
    sr = service_request(number, lab.know_customer(f"Customer of {number}"), *prices)
    guide.generate_invoice(sr)
    guide.generate_invoice(sr)
    (kept,) = invoices(lab, number)
    assert [line["total"] for line in kept["line_items"]] == totals
    assert Decimal(kept["total"]) == sum(map(Decimal, totals))
    assert date.fromisoformat(kept["due_date"]) - date.fromisoformat(kept["invoice_date"]) == timedelta(days=30)
    assert kept["notes"] == "PV Module Testing - M400"
    assert sr.erp_invoice_id.startswith("INV-")
    assert len(sr.saved) == 2


def test_nothing_is_billed_before_the_approval(guide, lab):
    sr = service_request("SR-GUIDE-4", lab.know_customer("Patient Customer"), 500)
    sr.status = "TESTING_COMPLETE"
    guide.generate_invoice(sr)
    assert invoices(lab, "SR-GUIDE-4") == []


def test_the_printed_configuration_of_mutual_tls_is_read(tmp_path):
    path = tmp_path / "integrations.yaml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    erp = load_config(path).systems["erp"].ready()
    assert (erp.auth_type, erp.client_cert, erp.client_key) == ("mtls", "/certs/client.crt", "/certs/client.key")
