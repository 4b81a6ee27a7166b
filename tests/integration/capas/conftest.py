"""A laboratory with a weak protocol, and its quality management, for each test its own."""

from __future__ import annotations

from contextlib import ExitStack, closing

import pytest

import sandbox
from pv_testing.ledger import Ledger
from tests.integration.capas.steps import WEAK, Quality


@pytest.fixture
def laboratory(tmp_path):
    """Return a function that starts a laboratory with a seed plan; one protocol is weak."""
    with ExitStack() as stack:

        def start(**plan) -> Quality:
            plan = {"state": "complete", "modules": 12, "protocols": 6, "failures": 0.0, "weak": WEAK, **plan}
            lab = stack.enter_context(sandbox.serve(tmp_path / "lab", seed_plan=sandbox.SeedPlan(**plan)))
            ledger = stack.enter_context(Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}"))
            return stack.enter_context(closing(Quality(lab, ledger)))

        yield start
