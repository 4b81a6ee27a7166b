"""Reason codes are plain text wherever they go: formatted, hashed, as JSON, pickled, in an error."""

from __future__ import annotations

import json
import pickle

import orjson
import pytest

from pv_testing.core.errors import LedgerError, Rejected
from pv_testing.core.reasons import Reason


@pytest.mark.parametrize("reason", Reason)
def test_a_member_is_its_own_name_as_text(reason: Reason) -> None:
    assert reason.value == reason.name == reason
    assert (f"{reason}", str(reason), f"{reason:>40}".strip()) == (reason.name,) * 3
    assert type(str(reason)) is type(f"{reason}") is str


def test_a_code_that_was_read_as_text_is_found_among_members() -> None:
    assert "NO_LOOKUP" in {Reason.NO_LOOKUP, Reason.ABSENT}
    assert Reason.NO_LOOKUP in {"NO_LOOKUP", "ABSENT"}
    assert {"NO_LOOKUP": 1}[Reason.NO_LOOKUP] == 1


def test_a_member_is_plain_text_in_json_and_comes_back_from_another_process() -> None:
    assert orjson.loads(orjson.dumps({"code": Reason.STALE})) == json.loads(json.dumps({"code": Reason.STALE}))
    assert json.dumps({"code": Reason.STALE}) == '{"code": "STALE"}'
    assert pickle.loads(pickle.dumps(Reason.STALE)) is Reason.STALE


def test_an_error_carries_its_code_as_plain_text() -> None:
    for error in (LedgerError("…"), Rejected("…", code=Reason.SAMPLE_GONE), Rejected("…", code="LOCKED")):
        assert type(error.code) is str
    assert str(Rejected("it is gone", code=Reason.SAMPLE_GONE)) == "it is gone [SAMPLE_GONE]"
