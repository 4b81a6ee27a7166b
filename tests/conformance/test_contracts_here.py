"""Every contract of ours is held against the system that it describes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

import sandbox
from pv_testing.config import SystemConfig, system_config
from pv_testing.contracts import load_contract
from pv_testing.testing import TrialFinding, TrialVerdict
from pv_testing.testing.for_pytest import ContractTests
from sandbox import sapphire
from tests.integration import databases, soap_lims


@pytest.fixture(scope="module")
def lab() -> Iterator[sandbox.Lab]:
    with sandbox.serve() as served:
        yield served


class Ours(ContractTests):
    """A contract of ours, of which every kind must be tried."""

    def test_every_kind_is_tried(self, findings: list[TrialFinding], system: SystemConfig) -> None:
        specs = [spec for spec in load_contract(system.contract).operations.values() if spec.kind]
        tried = {
            finding.key.split(".")[1]
            for finding in findings
            if finding.verdict is TrialVerdict.HOLDS and "." in finding.key
        }
        assert specs
        assert {spec.name for spec in specs} <= tried


class TestLims(Ours):
    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, lab: sandbox.Lab) -> SystemConfig:
        return system_config("lims", lab.lims_url, api_key=lab.credentials.lims_api_key)


class TestQms(Ours):
    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, lab: sandbox.Lab) -> SystemConfig:
        known = lab.credentials
        return system_config("qms", lab.url("qms"), username=known.qms_username, password=known.qms_password)


class TestPm(Ours):
    given: ClassVar = {"time_entry": {"user": "jane.doe@lab.example"}}

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, lab: sandbox.Lab) -> SystemConfig:
        return system_config("pm", lab.url("pm"), token=lab.credentials.pm_token)


class TestErp(Ours):
    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, lab: sandbox.Lab) -> SystemConfig:
        known = lab.credentials
        return system_config(
            "erp", lab.url("erp"), client_id=known.erp_client_id, client_secret=known.erp_client_secret
        )


class TestFramework(Ours):
    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, lab: sandbox.Lab) -> SystemConfig:
        known = lab.credentials
        return system_config(
            "framework", lab.framework_url, username=known.framework_username, password=known.framework_password
        )


class TestSoapLims(Ours):
    @pytest.fixture(scope="class")
    @classmethod
    def system(cls) -> Iterator[SystemConfig]:
        with soap_lims.serve() as server:
            known = {"username": soap_lims.USER, "password": soap_lims.PASSWORD}
            yield system_config("lims", server.url, contract="lims_soap", auth_type="basic", **known)


class TestSapphireLims(Ours):
    @pytest.fixture(scope="class")
    @classmethod
    def system(cls) -> Iterator[SystemConfig]:
        with sapphire.serve("text") as server:
            known = {"username": sapphire.USER, "password": sapphire.PASSWORD}
            yield system_config("lims", server.url, contract="lims_sapphire", auth_type="wsse", **known)


class TestSqlLims(Ours):
    @pytest.fixture(scope="class", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres), "mariadb"])
    @classmethod
    def system(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemConfig]:
        with databases.place(request.param, tmp_path_factory.mktemp("database")) as place:
            yield system_config("lims", place.base_url, contract="lims_sql", **place.login)
