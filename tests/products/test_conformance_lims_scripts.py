"""STARLIMS and LabVantage: their contracts are held against the stand-ins, each kind of record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pv_testing.config import SystemConfig, system_config
from sandbox.products import starlims, starlims_soap
from tests.conformance.test_contracts_here import Ours


class TestStarlims(Ours):
    @pytest.fixture(scope="class", params=[(), starlims.TRAPS], ids=["plain", "trapped"])
    @classmethod
    def system(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemConfig]:
        with starlims.serve(tmp_path_factory.mktemp("starlims"), request.param) as product:
            yield system_config("lims", **product.section)


class TestStarlimsSoap(Ours):
    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemConfig]:
        with starlims_soap.serve(tmp_path_factory.mktemp("starlims")) as product:
            yield system_config("lims", **product.section)
