"""The contracts of ERPs are held against their stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from pv_testing.config import SystemConfig, system_config
from sandbox.products import PRODUCTS
from tests.conformance.test_contracts_here import Ours
from tests.shipped import impatient


class Product(Ours):
    """A product of which every kind must be tried, on its stand-in."""

    name: ClassVar = ""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemConfig]:
        with PRODUCTS[cls.name].serve(tmp_path_factory.mktemp(cls.name)) as stand_in:
            section = {name: value for name, value in stand_in.section.items() if name not in {"base_url", "provider"}}
            section["contract"] = str(impatient(section["contract"], tmp_path_factory.mktemp("contract"), horizon=0.2))
            yield system_config("erp", stand_in.section["base_url"], **section)


class TestBusinessCentral(Product):
    # An invoice has no field for notes there.
    given: ClassVar = {"invoice": {"changed": {"po_number": "PO-2"}}}
    name: ClassVar = "business-central"


class TestOdoo(Product):
    name: ClassVar = "odoo"


class TestOdooXmlRpc(Product):
    name: ClassVar = "odoo-xmlrpc"


class TestErpNext(Product):
    name: ClassVar = "erpnext"


class TestNetSuite(Product):
    name: ClassVar = "netsuite"


class TestS4Hana(Product):
    # A request has no field for notes there.
    given: ClassVar = {"invoice": {"changed": {"po_number": "PO-2"}}}
    name: ClassVar = "s4hana"
