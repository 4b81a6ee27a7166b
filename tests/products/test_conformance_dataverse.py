"""The contract of Dataverse is held against its stand-in, whose operation sets are persisted late."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pv_testing.config import SystemConfig, load_config
from sandbox.products import PRODUCTS
from tests.conformance.test_contracts_here import Ours
from tests.products.qms import write_section
from tests.shipped import impatient


class TestDataverse(Ours):
    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemConfig]:
        folder = tmp_path_factory.mktemp("dataverse")
        with PRODUCTS["dataverse"].serve(folder, ["persisted_late"]) as stand_in:
            contract = impatient("pm_dataverse", folder, horizon=0.5)
            section = {**stand_in.section, "contract": str(contract)}
            config = write_section(tmp_path_factory.mktemp("config"), "pm", section)
            yield load_config(config).systems["pm"].ready()
