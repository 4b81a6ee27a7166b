"""Listings that are files, look-ups in them, and letters beside an order: what a contract may not say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pv_testing.contracts import load_contract
from pv_testing.core.errors import ConfigError, MappingError
from pv_testing.core.places import contract_path
from tests import yaml_text

Operations = dict[str, Any]


def changed(folder: Path, change: Callable[[Operations], object], name: str = "lims_labware") -> Path:
    written = yaml_text.read(contract_path(name))
    change(written["operations"])
    path = folder / "lims_site.yaml"
    path.write_text(yaml_text.dump(written, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda all_: all_["get_samples"].update(path="/x"), "get_samples.path: has no meaning for a listing that is"),
        (lambda all_: all_["create_sample"]["find"].update(listing="get_sample"), "with list_file; did you mean"),
        (lambda all_: all_["create_sample"]["find"].update(path="/x"), "find.path: has no meaning for a look-up in a"),
        (lambda all_: all_["create_sample"]["find"].update(key="{OTHER}"), "nothing that is sent is called 'OTHER'"),
        (lambda all_: all_["update_sample_status"]["find"].pop("in_effect"), "doesn't compare STATUS"),
        (
            lambda all_: all_["get_samples"]["list_file"].update(format={"type": "json", "delimiter": ";"}),
            "means nothing for json",
        ),
    ],
)
def test_what_can_not_work_is_refused(tmp_path: Path, change: Callable[[Operations], object], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_contract(changed(tmp_path, change))
    assert message in str(raised.value)


def test_a_request_is_not_looked_up_in_a_file(tmp_path: Path) -> None:
    path = changed(
        tmp_path, lambda all_: all_["create_sample"]["find"].update(listing="get_samples"), "lims_labware_rest"
    )
    with pytest.raises(ConfigError, match="is for operations by files"):
        load_contract(path)


@pytest.mark.parametrize(("letter", "reached"), [("U", False), ("P", True), ("A", True), ("X", False)])
def test_a_letter_of_the_order_or_beside_it_is_compared(letter: str, reached: bool) -> None:
    find = load_contract("lims_labware_rest").operation("update_sample_status").find
    assert find is not None
    assert find.same({"STATUS": letter}, {"STATUS": "P"}) is reached


@pytest.mark.parametrize("letter", ["J", "", None, "p"])
def test_any_other_letter_is_an_error(letter: str | None) -> None:
    find = load_contract("lims_labware_rest").operation("update_sample_status").find
    assert find is not None
    with pytest.raises(MappingError, match="in neither order nor others") as raised:
        find.same({"STATUS": letter}, {"STATUS": "P"})
    assert raised.value.code == "STATUS_UNKNOWN"
