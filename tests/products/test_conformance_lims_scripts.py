"""STARLIMS and LabVantage: their contracts are held against the stand-ins, each kind of record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from pv_testing.config import SystemConfig, system_config
from sandbox.products import labvantage, starlims, starlims_soap
from tests.conformance.test_contracts_here import Ours


def measured(product: labvantage.StandIn) -> None:
    """Let people make the first sample, whose data are all entered: only such a one can be completed."""
    laboratory = product.server.laboratory
    sample = laboratory.create({"sampletypeid": "PV Module", "externalreference": "by hand"})["s_sampleid"]
    there = {"sdcid": "Sample", "keyid1": sample}
    test = {"workitemid": "PVTP-002", "workitemversionid": "1", "applyworkitem": "Y", "propsmatch": "Y"}
    laboratory.actions["AddSDIWorkItem"]({**there, **test})
    address = {"paramlistid": "PVTP-002", "paramlistversionid": "1", "variantid": "1", "dataset": "1"}
    names = ("NOCT", "Pmax_NOCT", "Temperature_Coefficient_Pmax")
    values = {f"paramid{n}": name for n, name in enumerate(names, start=1)}
    values |= {f"{name}{n}": value for n in (1, 2, 3) for name, value in ITEM}
    laboratory.actions["EnterDataSet"]({**there, **address, "params": "3", **values})


ITEM = (("paramtype", "Standard"), ("replicateid", "1"), ("enteredtext", "45.1"))


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


class TestLabVantage(Ours):
    given: ClassVar = {"sample_status": {"lims_sample_id": "S-000001"}}

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemConfig]:
        with labvantage.serve(tmp_path_factory.mktemp("labvantage"), labvantage.TRAPS) as product:
            measured(product)
            yield system_config("lims", **product.section)
