"""The fragments of docs/how-to/soap.md are a contract, and the service of its WSDL is spoken to without any Python."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pv_testing.config import load_config
from pv_testing.contracts import load_contract
from pv_testing.contracts.fault import CALLER
from pv_testing.core.errors import ConfigError, NotFound
from pv_testing.core.places import contract_path
from pv_testing.core.records import Result
from pv_testing.integrations import LIMSClient
from tests.docs.pages import PROJECT, blocks, prose, text
from tests.integration import soap_lims

PAGE = PROJECT / "docs" / "how-to" / "soap.md"
SAMPLE = {"external_id": "SN1", "project_id": "SR-1", "customer": "Helios"}


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    shutil.copy(contract_path("lims_soap").with_suffix(".wsdl"), tmp_path)
    path = tmp_path / "lims_ours.yaml"
    path.write_text("\n".join(block.lstrip() for block in blocks(PAGE, "yaml")), encoding="utf-8")
    return path


@pytest.fixture
def server() -> Iterator[soap_lims.SoapLims]:
    with soap_lims.serve() as running:
        yield running


@pytest.fixture
def lims(contract: Path, server: soap_lims.SoapLims) -> Iterator[LIMSClient]:
    known = {"auth_type": "basic", "username": soap_lims.USER, "password": soap_lims.PASSWORD}
    with LIMSClient(server.url, contract=str(contract), **known) as client:
        yield client


def test_a_sample_arrives_once_although_its_answer_is_lost(lims: LIMSClient, server: soap_lims.SoapLims) -> None:
    assert lims.identity() == soap_lims.USER
    server.plan["CreateSample"] = ["drop", "server fault"]
    report = lims.create_samples([SAMPLE, {**SAMPLE, "external_id": "SN2"}])
    assert {outcome.result for outcome in report.outcomes} == {Result.ADOPTED}
    assert sorted(sample["external_id"] for sample in server.samples) == ["SN1", "SN2"]


def test_a_changed_sample_is_updated(lims: LIMSClient, server: soap_lims.SoapLims) -> None:
    lims.create_samples([SAMPLE])
    lims.create_samples([{**SAMPLE, "customer": "Fjord"}])
    assert [sample["customer"] for sample in server.samples] == ["Fjord"]


def test_rules_tell_busy_from_unknown(lims: LIMSClient, server: soap_lims.SoapLims) -> None:
    server.plan["CreateSample"] = ["busy"]
    lims.create_samples([SAMPLE])
    assert lims.call("get_sample", sample_id="LIM-000001")["sample"]["external_id"] == "SN1"
    with pytest.raises(NotFound, match="no sample LIM-9"):
        lims.call("get_sample", sample_id="LIM-9")


def test_a_server_fault_that_means_no_ends_as_the_page_says(
    lims: LIMSClient, server: soap_lims.SoapLims, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_: object) -> None:
        raise soap_lims.FaultError("soap:Server", "the project is closed")

    monkeypatch.setattr(server, "create", refuses)
    (outcome,) = lims.create_samples([SAMPLE]).outcomes
    assert not outcome.result.in_effect
    assert f"`{outcome.code}`" in prose(PAGE)


def test_an_operation_that_the_wsdl_lacks_is_named_with_the_nearest(contract: Path) -> None:
    contract.write_text(contract.read_text(encoding="utf-8").replace("soap: GetSample", "soap: GetSampel"), "utf-8")
    with pytest.raises(ConfigError, match=r"lims_ours.yaml:\d+: .*did you mean 'GetSample'"):
        load_contract(contract)


def test_the_faults_of_the_callers_side_are_those_of_the_page() -> None:
    (row,) = [line for line in prose(PAGE).splitlines() if line.startswith("| `Client`")]
    assert {code for code in CALLER if f"`{code}`" not in row} == set()


def test_the_configuration_of_the_page_can_be_read(tmp_path: Path) -> None:
    (block,) = re.findall(r"^  ```yaml\n(  # config/integrations.yaml.*?)^  ```$", text(PAGE), re.DOTALL | re.MULTILINE)
    file = tmp_path / "integrations.yaml"
    file.write_text("\n".join(line.removeprefix("  ") for line in block.split("\n")), encoding="utf-8")
    lims = load_config(file, {"LIMS_USER": "u", "LIMS_PASSWORD": "p"}).systems["lims"]
    assert (lims.auth_type, lims.contract) == ("wsse_digest", "lims_sapphire")


def test_the_strings_of_the_page_are_those_of_the_contract() -> None:
    (shown,) = re.findall(r"^  texts: \{(.*?)\}$", text(PAGE), re.MULTILINE)
    written = " ".join(text(contract_path("lims_sapphire")).split())
    assert f"texts: {{{shown}}}" in written
