"""What the laboratory of the live tests has in its Tryton: customers, products, terms, locations and users."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sandbox.catalogue import protocols
from sandbox.seed import CUSTOMERS

ADMIN, ADMIN_PASSWORD = "admin", "live-Admin-1"
INTEGRATION, INTEGRATION_PASSWORD = "integration", "live-Integration-1"
ACCOUNTANT, ACCOUNTANT_PASSWORD = "accountant", "live-Accountant-1"
STRANGER, STRANGER_PASSWORD = "stranger", "live-Stranger-1"

CUSTOMER = "Solar Corporation"
TAX_RATE = "0.19"
MODULE, CLEANER, TEST = "PV-MODULE", "CLEANER", "PV-TEST"


def plan() -> dict[str, Any]:
    """Return what the seed makes; it is another one in another year, whose fiscal years are others."""
    this_year = datetime.now(timezone.utc).year
    return {
        "years": [this_year - 1, this_year, this_year + 1],
        "company": "PV Laboratory",
        "currency": "EUR",
        "other_currency": "USD",
        "tax_rate": TAX_RATE,
        "payment_days": [14, 30],
        "customers": [CUSTOMER, *CUSTOMERS],
        "tests": [
            {"code": TEST, "name": "PV module test"},
            *({"code": code, "name": protocol.name} for code, protocol in protocols().items()),
        ],
        "goods": [
            {"code": MODULE, "name": "PV module", "unit": "u"},
            {"code": CLEANER, "name": "Cleaner", "unit": "l"},
        ],
        "locations": [
            {"name": "Modules under test", "code": "LAB", "type": "production"},
            {"name": "Modules on the shelf", "code": "SHELF", "type": "production"},
            {"name": "Scrapped modules", "code": "SCRAP", "type": "lost_found"},
            {"name": "Consumed", "code": "USED", "type": "lost_found"},
        ],
        "users": [
            {
                "login": INTEGRATION,
                "password": INTEGRATION_PASSWORD,
                "groups": ["Accounting", "Party Administration", "Stock", "Stock Force Assignment"],
            },
            {"login": ACCOUNTANT, "password": ACCOUNTANT_PASSWORD, "groups": ["Accounting", "Party Administration"]},
            {"login": STRANGER, "password": STRANGER_PASSWORD, "groups": []},
        ],
    }
