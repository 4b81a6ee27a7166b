"""The traps of STARLIMS that can fail: signatures, answers of scripts, credentials among the arguments of SOAP."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pv_testing.config import system_config
from pv_testing.core.errors import AuthenticationError, PermissionDenied
from pv_testing.core.records import Result
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from pv_testing.testing.suite import try_system
from sandbox.products import starlims, starlims_soap
from tests.shipped import PROJECT, impatient

SAMPLE = {"external_id": "SN1", "project_id": "SR-1", "customer": "Solar & Söhne"}
Open = Callable[..., LIMSClient]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Give a function that opens a client of a stand-in, with other settings than its section."""
    with ExitStack() as stack:

        def client(section: dict[str, Any], **other: Any) -> LIMSClient:
            for wsdl in (PROJECT / "include" / "mappings").glob("lims_starlims*.wsdl"):
                shutil.copy(wsdl, tmp_path)
            contract = str(impatient(section["contract"], tmp_path, horizon=0.2))
            settings = {**section, "contract": contract, **other}
            ledger = stack.enter_context(Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}"))
            return stack.enter_context(LIMSClient(settings.pop("base_url"), ledger=ledger, **settings))

        yield client


@pytest.mark.parametrize(("trap", "option"), [("behind_proxy", "server_url"), ("lower_hex", "hex_case")])
def test_a_signature_of_another_form_is_refused_until_the_option_says_it(
    tmp_path: Path, opened: Open, trap: str, option: str
) -> None:
    with starlims.serve(tmp_path, [trap]) as product:
        assert set(product.section["options"]) == {option}
        with pytest.raises(AuthenticationError):
            opened(product.section, options={}).create_sample(**SAMPLE)
        assert product.rows("sample") == []
        assert opened(product.section).identity() == starlims.USER


def test_a_user_who_is_not_known_has_no_right(tmp_path: Path, opened: Open) -> None:
    with starlims.serve(tmp_path) as product:
        assert opened(product.section, options={"impersonate": starlims.USER}).identity() == starlims.USER
        with pytest.raises(PermissionDenied, match="User not found"):
            opened(product.section, options={"impersonate": "other@lab.example"}).create_sample(**SAMPLE)


def test_a_no_under_200_is_a_no(tmp_path: Path, opened: Open) -> None:
    with starlims.serve(tmp_path) as product:
        lims = opened(product.section)
        (outcome,) = lims.create_samples([{**SAMPLE, "sample_type": "Cheese"}]).outcomes
        assert (outcome.result, outcome.code) == (Result.REJECTED, "REFUSED")
        assert "there is no sample type Cheese" in outcome.reason
        sample = lims.create_sample(**{**SAMPLE, "external_id": "SN2"})["id"]
        lims.update_sample_status(sample, "Completed")
        (outcome,) = lims.update_sample_statuses([{"sample_id": sample, "status": "Completed"}]).outcomes
        assert outcome.result.in_effect
        assert [row["key"] for row in product.rows("sample")] == ["SR-1/SN2"]


@pytest.mark.parametrize("kind", [starlims, starlims_soap])
def test_both_names_of_the_product_are_it(tmp_path: Path, kind: Any) -> None:
    with kind.serve(tmp_path) as product:
        known = {name: value for name, value in product.section.items() if name not in {"contract", "provider"}}
        soap = " SOAP" if kind is starlims_soap else ""
        contracts = {system_config("lims", provider=f"{name}{soap}", **known).contract for name in NAMES}
    assert contracts == {product.section["contract"]}


NAMES = ("StarLIMS", "STARLIMS")


def test_a_script_that_fails_after_it_has_written_is_looked_up(tmp_path: Path, opened: Open) -> None:
    with starlims_soap.serve(tmp_path, starlims_soap.TRAPS) as product:
        report = opened(product.section).create_samples([{**SAMPLE, "external_id": f"SN{n}"} for n in range(3)])
        assert [outcome.result for outcome in report.outcomes].count(Result.ADOPTED) == 1
        assert sorted(row["key"] for row in product.rows("sample")) == ["SR-1/SN0", "SR-1/SN1", "SR-1/SN2"]


def test_a_wrong_password_is_refused_and_never_told(
    tmp_path: Path, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with starlims_soap.serve(tmp_path) as product:
        stranger = opened(product.section, password="wrong <0815> & more")
        with pytest.raises(AuthenticationError) as caught:
            stranger.identity()
        findings = "".join(map(str, try_system(system_config("lims", **product.section), patience=5)))
    told = f"{caught.value} {caught.value.excerpt} {caplog.text} {stranger.config!r} {findings}"
    assert "wrong <0815>" not in told
    assert "soap <secret>" not in told
