"""Shows that the benchmark still measures what it says: records that take effect, one by one and in bulk."""

from __future__ import annotations

import pytest

from tests.bench import creation, server


@pytest.mark.parametrize("bulk", [False, True])
def test_the_benchmark_carries_its_records(*, bulk):
    with server.running() as address:
        created, unchanged = creation.ours(address, 30, bulk=bulk)
    assert (created.records, unchanged.records) == (30, 30)
