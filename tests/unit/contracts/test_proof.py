"""A contract says what it was tried on, and the command says it to people."""

from __future__ import annotations

from pathlib import Path

import pytest

from pv_testing.cli.main import main
from pv_testing.contracts import load_contract
from pv_testing.core.errors import ConfigError
from pv_testing.core.places import contract_names
from tests import yaml_text

SHIPPED = [name for name in contract_names() if name != "field_mappings"]


@pytest.mark.parametrize("name", SHIPPED)
def test_each_shipped_contract_says_what_it_was_tried_on(name):
    assert load_contract(name).proof is not None


@pytest.mark.parametrize(
    "proof",
    [
        {"by": ["hearsay"], "version": "1", "date": "2026-11-29"},
        {"by": [], "version": "1", "date": "2026-11-29"},
        {"by": ["stand_in"], "version": "1", "date": "yesterday"},
        {"by": ["stand_in"], "date": "2026-11-29"},
    ],
)
def test_a_proof_that_says_nothing_is_refused(proof, tmp_path: Path):
    document = yaml_text.read(Path(load_contract("lims_custom").file))
    path = tmp_path / "lims_ours.yaml"
    path.write_text(yaml_text.dump({**document, "proof": proof}), encoding="utf-8")
    with pytest.raises(ConfigError, match="proof"):
        load_contract(path)


def test_the_strongest_proof_comes_first(tmp_path: Path):
    document = yaml_text.read(Path(load_contract("lims_custom").file))
    proof = {"by": ["stand_in", "vendor_description"], "version": "3", "date": "2026-11-29"}
    path = tmp_path / "lims_ours.yaml"
    path.write_text(yaml_text.dump({**document, "proof": proof}), encoding="utf-8")
    assert str(load_contract(path).proof) == (
        "tried on the vendor's machine-readable description and a stand-in made from documentation (3) on 2026-11-29"
    )


def test_check_prints_how_the_contract_of_each_system_was_proved(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    section = {"provider": "SENAITE", "base_url": "http://127.0.0.1:1", "username": "ada", "password": "secret"}
    path = tmp_path / "integrations.yaml"
    path.write_text(yaml_text.dump({"lims": section}), encoding="utf-8")
    assert main(["check", "--offline", "--config", str(path)]) == 0
    expected = "system lims: SENAITE by contract lims_senaite, tried on the real system (2.6.0) on "
    assert expected in capsys.readouterr().out
