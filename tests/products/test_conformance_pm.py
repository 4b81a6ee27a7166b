"""The conformance suite holds the contracts of project management against their stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from pv_testing.config import SystemConfig, system_config
from pv_testing.contracts import load_contract
from pv_testing.testing import TrialFinding, TrialVerdict
from pv_testing.testing.for_pytest import ContractTests
from sandbox.products import PRODUCTS
from sandbox.products.jira import PROJECT

TRAPS = {
    "jira": ("search_lag", "short_pages", "shuffled_bulk", "hidden_mail"),
    "jira-dc": ("search_lag", "short_pages"),
    "asana": ("offset_expires", "short_pages", "shuffled_batch"),
    "asana-pat": ("offset_expires", "short_pages", "shuffled_batch"),
}
"""The traps that lose no answer: the suite loses those that it wants lost."""


class TestPmProducts(ContractTests):
    """Project management, of which every kind must be tried."""

    given: ClassVar = {"task": {"project_id": PROJECT}, "subtask": {"project_id": PROJECT}}

    @pytest.fixture(scope="class", params=sorted(TRAPS))
    @classmethod
    def system(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemConfig]:
        name = request.param
        with PRODUCTS[name].serve(tmp_path_factory.mktemp(name), TRAPS[name]) as stand_in:
            section: dict[str, Any] = dict(stand_in.section)
            contract = f"pm_{section.pop('provider').lower().replace(' ', '_')}"
            yield system_config("pm", section.pop("base_url"), contract=contract, **section)

    def test_every_kind_is_tried(self, findings: list[TrialFinding], system: SystemConfig) -> None:
        kinds = {spec.name for spec in load_contract(system.contract).operations.values() if spec.kind}
        once = {
            each.key.split(".")[1] for each in findings if (each.check, each.verdict) == ("once", TrialVerdict.HOLDS)
        }
        assert kinds == once

    def test_only_what_is_not_there_is_skipped(self, findings: list[TrialFinding]) -> None:
        skipped = {(each.check, each.key) for each in findings if each.verdict is TrialVerdict.SKIPPED}
        cannot = {("list", "operations.update_project_progress"), ("bulk", "operations.update_task.bulk")}
        assert {(check, key) for check, key in skipped if check != "clean"} == cannot
