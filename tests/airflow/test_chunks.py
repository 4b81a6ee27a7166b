"""Service requests become one task each while they are few, and balanced chunks beyond; none is lost or doubled."""

from __future__ import annotations

import pytest

from operators.chunks import MOST_TASKS, chunks, title


@pytest.mark.parametrize("number", [0, 1, 7, 8, 9, 15, 16, 17, 100, 1001])
def test_chunks_are_few_balanced_and_complete(number: int) -> None:
    items = [f"SR-{index:04}" for index in range(number)]
    parts = chunks(items)
    assert [item for part in parts for item in part] == items
    assert len(parts) == min(number, MOST_TASKS)
    sizes = {len(part) for part in parts}
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_titles_name_the_service_requests() -> None:
    assert title(["SR-1"]) == "SR-1"
    assert title(["SR-1", "SR-2", "SR-3"]) == "SR-1 … SR-3 (3)"
