"""The client of an ERP and each product's stand-in: what every ERP of this project does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sandbox.products import PRODUCTS, ErpStandIn, StandIn
from sandbox.seed import CUSTOMERS
from tests.contract.erp import ErpSite, InvoicingContract
from tests.shipped import impatient

QUICK = {"attempt_timeout": 5, "total_timeout": 10, "horizon": 0.1}


def site_of(stand_in: StandIn, folder: Path, **wrong: Any) -> ErpSite:
    """Return a stand-in as a site of an ERP.

    Args:
        stand_in: of the product.
        folder: for the contract, which is the shipped one with short deadlines.
        wrong: credentials that the product refuses.
    """
    settings = {name: value for name, value in stand_in.section.items() if name not in {"base_url", "provider"}}
    settings["contract"] = str(impatient(settings["contract"], folder, **QUICK))
    return ErpSite(stand_in.section["base_url"], settings, wrong, CUSTOMERS[0], write="P* /*")


class Product(InvoicingContract):
    """A product's stand-in."""

    name = ""
    wrong: ClassVar[dict[str, Any]] = {"token": "wrong"}

    @pytest.fixture(scope="class")
    @classmethod
    def stand_in(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ErpStandIn]:
        with PRODUCTS[cls.name].serve(tmp_path_factory.mktemp(cls.name)) as stand_in:
            stand_in.know_customer(CUSTOMERS[0])
            yield stand_in

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls, stand_in: ErpStandIn, tmp_path_factory: pytest.TempPathFactory) -> ErpSite:
        return site_of(stand_in, tmp_path_factory.mktemp("contract"), **cls.wrong)


class TestBusinessCentral(Product):
    name = "business-central"


class TestOdoo(Product):
    name = "odoo"


class TestOdooXmlRpc(Product):
    name = "odoo-xmlrpc"
    wrong: ClassVar[dict[str, Any]] = {"password": "wrong"}


class TestErpNext(Product):
    name = "erpnext"
    wrong: ClassVar[dict[str, Any]] = {"api_key": "token wrong:wrong"}


class TestNetSuite(Product):
    name = "netsuite"
    wrong: ClassVar[dict[str, Any]] = {"signing_key_id": "another"}


class TestS4Hana(Product):
    name = "s4hana"
    wrong: ClassVar[dict[str, Any]] = {"password": "wrong"}
