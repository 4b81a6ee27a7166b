"""The contracts of ERPs are held against their stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from pv_testing.config import SystemConfig, system_config
from sandbox.products import business_central
from tests.conformance.test_contracts_here import Ours


def configured(section: dict[str, Any]) -> SystemConfig:
    """Return a stand-in's section as the configuration of a system."""
    rest = {name: value for name, value in section.items() if name not in {"base_url", "provider"}}
    return system_config("erp", section["base_url"], **rest)


class TestBusinessCentral(Ours):
    # An invoice has no field for notes there.
    given: ClassVar = {"invoice": {"changed": {"po_number": "PO-2"}}}

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemConfig]:
        with business_central.serve(tmp_path_factory.mktemp("erp")) as company:
            yield configured(company.section)
