"""A laboratory whose service requests become projects, for each test its own."""

from __future__ import annotations

from contextlib import ExitStack, closing

import pytest

import sandbox
from pv_testing.core.places import contract_path
from pv_testing.ledger import Ledger
from tests.integration.projects.steps import Projects


@pytest.fixture
def laboratory(tmp_path):
    """Return a function that starts a laboratory; the contract is the shipped one, which waits less for look-ups."""
    text = contract_path("pm_custom").read_text(encoding="utf-8")
    contract = tmp_path / "pm_custom.yaml"
    contract.write_text(text.replace("horizon: 2 ", "horizon: 0.05 "), encoding="utf-8")
    with ExitStack() as stack:

        def start(**plan) -> Projects:
            lab = stack.enter_context(sandbox.serve(tmp_path / "lab", seed_plan=sandbox.SeedPlan(**plan)))
            ledger = stack.enter_context(Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}"))
            return stack.enter_context(closing(Projects(lab, ledger, contract)))

        yield start
