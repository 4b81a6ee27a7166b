"""Shows that business keys are unambiguous, and that those without special characters are what they always were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv_testing.contracts.paths import Template
from pv_testing.core import keys
from pv_testing.domain.samples import sample_key
from pv_testing.inventory.movements import Movement, movement_key
from pv_testing.projects.records import subtask_key

PART = st.text(st.sampled_from("/%2F5SR-1é字 ") | st.characters(), max_size=8)
PARTS = st.lists(PART, min_size=1, max_size=4)
ORDINARY = st.text(st.characters(exclude_characters="/%"), min_size=1, max_size=12)


@given(PARTS)
def test_splitting_gives_the_parts_back(parts):
    assert list(keys.split(keys.compose(*parts))) == parts


@given(PARTS, PARTS)
def test_other_parts_have_another_key(some, others):
    assert (keys.compose(*some) == keys.compose(*others)) == (some == others)


@given(PARTS, PARTS)
def test_a_prefix_finds_exactly_what_belongs_to_a_record(some, others):
    begins = keys.compose(*others).startswith(keys.prefix(keys.compose(*some)))
    assert begins == (len(others) > len(some) and others[: len(some)] == some)


@given(PARTS, PART)
def test_what_belongs_to_a_record_is_below_it(parts, last):
    key = keys.below(keys.compose(*parts), last)
    assert key == keys.compose(*parts, last)
    assert keys.above(key) == keys.compose(*parts)


@given(st.lists(ORDINARY, min_size=1, max_size=4))
def test_the_key_of_ordinary_parts_is_what_it_was_before(parts):
    assert keys.compose(*parts) == "/".join(parts)


@pytest.mark.parametrize(
    ("sr_number", "serial", "key"),
    [
        ("SR-2025-0123", "SN001", "SR-2025-0123/SN001"),
        ("SR-1", "2/SN001", "SR-1/2%2FSN001"),
        ("SR-1/2", "SN001", "SR-1%2F2/SN001"),
        ("SR-1%2F2", "SN001", "SR-1%252F2/SN001"),
        ("SR-1", "(module 2)", "SR-1/(module 2)"),
        ("PRÜF-1", "模块 7", "PRÜF-1/模块 7"),
    ],
)
def test_keys_of_samples(sr_number, serial, key):
    assert sample_key(sr_number, serial) == key


def test_keys_of_other_records():
    assert movement_key("SR-1", "A/RECEIVED", Movement.STORED) == "SR-1/A%2FRECEIVED/STORED"
    assert subtask_key("SR-2025-0123", "PVTP-001") == "SR-2025-0123/PVTP-001"


def test_a_look_up_by_several_fields_tells_their_values_apart():
    key = Template.of_key("{project_id}/{external_id}")
    both = [{"project_id": "SR-1", "external_id": "2/A"}, {"project_id": "SR-1/2", "external_id": "A"}]
    assert key.fill(both[0]) != key.fill(both[1])
    assert key.fill({"project_id": "SR-1", "external_id": 7}) == "SR-1/7"
    assert Template.of_key("{key}").fill({"key": "SR-1%2F2/A"}) == "SR-1%2F2/A"
