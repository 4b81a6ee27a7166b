"""Service requests become one task each while they are few, and balanced chunks beyond; none is lost or doubled."""

from __future__ import annotations

import pytest

from operators.chunks import MOST_TASKS, by_size, chunks, title


@pytest.mark.parametrize("number", [0, 1, 7, 8, 9, 15, 16, 17, 100, 1001])
def test_chunks_are_few_balanced_and_complete(number: int) -> None:
    items = [f"SR-{index:04}" for index in range(number)]
    parts = chunks(items)
    assert [item for part in parts for item in part] == items
    assert len(parts) == min(number, MOST_TASKS)
    sizes = {len(part) for part in parts}
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_huge_requests_have_tasks_of_their_own_which_start_last() -> None:
    small = [f"SR-{index:04}" for index in range(200)]
    items = [*small[:50], "HUGE-1", *small[50:], "HUGE-2"]
    parts = by_size(items, {"HUGE-1": 20_000, "HUGE-2": 1_000, "SR-0001": 999})
    assert [item for part in parts for item in part] == [*small, "HUGE-2", "HUGE-1"]
    assert parts[-2:] == [["HUGE-2"], ["HUGE-1"]]
    assert len(parts) == MOST_TASKS


@pytest.mark.parametrize(("number", "most"), [(1, 8), (9, 8), (3, 1), (20, 2)])
def test_none_is_lost_among_huge_ones(number: int, most: int) -> None:
    items = [f"SR-{index:04}" for index in range(number)]
    parts = by_size([*items, "small"], dict.fromkeys(items, 5_000), most)
    assert sorted(item for part in parts for item in part) == sorted([*items, "small"])
    assert len(parts) <= most


def test_titles_name_the_service_requests() -> None:
    assert title(["SR-1"]) == "SR-1"
    assert title(["SR-1", "SR-2", "SR-3"]) == "SR-1 … SR-3 (3)"
