"""Shows that the shipped contracts amend only what a look-up tells apart by its revision."""

from __future__ import annotations

import pytest

from tests import yaml_text
from tests.shipped import PROJECT

# The files of a CAPA come from a finding that never changes, so that one name has one content.
UNCHANGING = {"attach_file"}
AMENDED = [
    pytest.param(operation, id=f"{path.stem}-{name}")
    for path in sorted((PROJECT / "include" / "mappings").glob("*.yaml"))
    for name, operation in yaml_text.read(path).get("operations", {}).items()
    if operation.get("on_change") == "amend" and name not in UNCHANGING and "files" not in operation
]


def test_some_contracts_amend():
    assert len(AMENDED) >= 2


@pytest.mark.parametrize("operation", AMENDED)
def test_what_is_amended_is_looked_up_by_its_revision(operation):
    (target,) = (target for target, stamp in operation["stamps"].items() if stamp == "revision")
    assert operation["find"]["in_effect"] == {target: target}
