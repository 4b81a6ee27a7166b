"""The contracts of quality management are held against their stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from pv_testing.config import SystemConfig, load_config
from sandbox.products import PRODUCTS
from tests.conformance.test_contracts_here import Ours
from tests.products.qms import quick_section, write_section


class Product(Ours):
    """A product of which every kind must be tried, on its stand-in."""

    name: ClassVar = ""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemConfig]:
        folder = tmp_path_factory.mktemp("config")
        with PRODUCTS[cls.name].serve(tmp_path_factory.mktemp(cls.name)) as stand_in:
            yield load_config(write_section(folder, "qms", quick_section(stand_in, folder))).systems["qms"].ready()


class TestVeeva(Product):
    name: ClassVar = "veeva"


class TestSalesforce(Product):
    name: ClassVar = "salesforce"


class TestSapQm(Product):
    name: ClassVar = "sap-qm"
