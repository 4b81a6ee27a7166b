"""A map says which fields of ours a product has no place for; nothing of them is sent, and `show` names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pv_testing.cli.showing import show
from pv_testing.contracts import load_contract
from pv_testing.core.errors import ConfigError
from pv_testing.core.places import contract_path
from tests import yaml_text


def written(folder: Path, **status: Any) -> Path:
    content = yaml_text.read(contract_path("lims_custom"))
    content["maps"]["status"].update(status)
    path = folder / "small.yaml"
    path.write_text(yaml_text.dump(content, sort_keys=False), encoding="utf-8")
    return path


DATA = {"lims_sample_id": "1", "lims_status": "Received", "notes": "by lorry"}


@pytest.mark.parametrize(
    ("notes", "sent"),
    [
        ({"drop": True}, {}),
        ({"drop": True, "from": ["notes", "remark"]}, {}),
        ({"to": "notes", "const": "by the framework", "drop": True}, {"notes": "by the framework"}),
    ],
)
def test_what_is_dropped_is_not_sent(tmp_path: Path, notes: Any, sent: dict[str, str]) -> None:
    contract = load_contract(written(tmp_path, notes=notes))
    assert contract.operation("update_sample_status").prepare(DATA) == {"id": "1", "status": "Received", **sent}
    assert 'notes = "tried" -> (dropped)' in "\n".join(show(contract, "update_sample_status", {"notes": "tried"}))


@pytest.mark.parametrize(
    "notes", [{"drop": True, "to": "notes"}, {"drop": True, "required": False}, {"drop": True, "const": "x"}]
)
def test_what_is_dropped_cannot_be_sent_as_well(tmp_path: Path, notes: Any) -> None:
    with pytest.raises(ConfigError, match=r"small.yaml:\d+: maps.status.notes: a dropped field is sent nowhere"):
        load_contract(written(tmp_path, notes=notes))


def test_a_drop_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"maps.status.notes.drop"):
        load_contract(written(tmp_path, notes={"drop": False}))
