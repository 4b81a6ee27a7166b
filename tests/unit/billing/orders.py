"""Service requests, executions and rules of billing as the tests of this folder need them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

from pv_testing.billing import BillingPolicy, Invoice, invoice_of
from pv_testing.billing.prices import PriceList
from pv_testing.domain.reading import read_execution, read_service_request
from pv_testing.domain.records import Execution, ServiceRequest

BERLIN = ZoneInfo("Europe/Berlin")
APPROVED = datetime(2025, 11, 13, 15, 30, tzinfo=timezone.utc)
NAMES = {"PVTP-001": {"name": "STC Power Measurement"}, "PVTP-018": {"name": "Thermal Cycling"}}
SELLER = {
    "name": "Heliotest Laboratory GmbH",
    "address": {"lines": ["Messplatz 4"], "postcode": "79110", "city": "Freiburg", "country": "DE"},
    "vat_id": "DE123456789",
    "registration": "HRB 700123",
    "email": "invoices@heliotest.example",
    "bank": {"iban": "DE89370400440532013000", "account_name": "Heliotest Laboratory GmbH"},
}
BUYER = {
    "erp_id": "17",
    "address": {"lines": ["Sonnenallee 1"], "postcode": "12045", "city": "Berlin", "country": "DE"},
    "vat_id": "DE999999999",
}


def rules(
    prices: Mapping[str, Any] | None = None,
    surcharges: Iterable[Mapping[str, Any]] = (),
    currency: str = "EUR",
    buyer: Mapping[str, Any] = BUYER,
    **fields: Any,
) -> BillingPolicy:
    """Return rules of billing with these prices; a price alone stands for one entry."""
    listed = {
        protocol: [{"price": entry}] if isinstance(entry, str) else entry
        for protocol, entry in (prices or {"PVTP-001": "500.00", "PVTP-018": "3000.00"}).items()
    }
    price_list = PriceList.of({"currency": currency, "prices": listed, "surcharges": list(surcharges)})
    customers = {"Solar Corporation": buyer}
    return BillingPolicy.of({"seller": SELLER, "customers": customers, **fields}, price_list)


def order(protocols: Iterable[str] = ("PVTP-001",), quantity: int = 3, **fields: Any) -> ServiceRequest:
    """Return a service request of so many modules SN001, SN002 and so on."""
    serials = [f"SN{number:03d}" for number in range(1, quantity + 1)]
    return read_service_request(
        {
            "id": 7,
            "sr_number": "SR-2025-0123",
            "status": "REPORTS_APPROVED",
            "customer": {"name": "Solar Corporation"},
            "module": {"model": "AST-400-M", "quantity": quantity, "serial_numbers": serials},
            "testing": {"priority": "normal"},
            "metadata": {"purchase_order": "PO-SPI-2025-0078"},
            "protocols": [each if isinstance(each, dict) else {"protocol_id": each} for each in protocols],
            **fields,
        }
    )


def run(number: int, serial: str = "SN001", protocol: str = "PVTP-001", **fields: Any) -> Execution:
    """Return an execution that is complete and passed unless it says otherwise."""
    usual = {"status": "COMPLETE", "qc_status": "PASS", "completed_at": "2025-11-12T14:30:00Z"}
    return read_execution({"execution_id": number, "protocol_id": protocol, "module_id": serial, **usual, **fields})


def completed(request: ServiceRequest, protocols: Iterable[str] | None = None) -> list[Execution]:
    """Return one passed execution for each module and protocol of a request."""
    pairs = [(each, module.serial_number) for each in protocols or request.protocols for module in request.modules]
    return [run(number, serial, each) for number, (each, serial) in enumerate(pairs, start=5000)]


def bill(request: ServiceRequest, policy: BillingPolicy, executions: Any = None, **fields: Any) -> Invoice:
    """Return the invoice of a request that was approved on 13 November 2025; everything is tested unless said."""
    done = completed(request) if executions is None else executions
    return invoice_of(request, done, NAMES, policy, APPROVED, BERLIN, **fields)
