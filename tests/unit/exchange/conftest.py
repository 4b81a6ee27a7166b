"""An empty ledger, and a system that records can be brought into."""

from __future__ import annotations

import pytest

from pv_testing.ledger import Ledger
from tests.unit.exchange.target import Target


@pytest.fixture
def ledger():
    with Ledger.in_memory() as opened:
        yield opened


@pytest.fixture
def target() -> Target:
    return Target()
