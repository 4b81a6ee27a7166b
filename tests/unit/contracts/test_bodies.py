"""Bodies that are a list or a form, and values that become lines of text."""

from __future__ import annotations

from typing import Any

import pytest

from pv_testing.contracts.calls import compile_call
from pv_testing.contracts.fields import Shared, compile_map
from pv_testing.contracts.request_template import FORM

QUERY = {"method": "POST", "path": "/query", "query": {"q": "SELECT id WHERE key = '{key|plain}'"}, "body_as": "form"}


def test_a_body_can_be_a_list_with_the_one_record() -> None:
    call = compile_call({"method": "POST", "path": "/objects", "body_as": "list"}, Shared())
    expected = {"params": {}, "json": [{"name": "A"}], "data": None, "headers": None}
    assert call.request({"name": "A"}).content == expected


def test_a_form_takes_the_query_and_the_address_has_none() -> None:
    request = compile_call(QUERY, Shared()).request({"key": "A B/1"})
    body = b"q=SELECT+id+WHERE+key+%3D+%27A+B%2F1%27"
    assert request.content == {"params": {}, "json": None, "data": body, "headers": FORM}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("one", "one"),
        (["one", "two\nlines", None], "one\ntwo, lines"),
        (
            {"description": "Repeat", "responsible": "", "target_date": "2025-12-01"},
            "description: Repeat\ntarget_date: 2025-12-01",
        ),
        ([{"type": "Sample", "quantity": 1}], "type: Sample, quantity: 1"),
    ],
)
def test_values_become_lines_of_text(value: Any, text: str) -> None:
    fields = compile_map("nc", {"factors": {"to": "Factors", "type": "text"}}, Shared())
    assert fields.out({"factors": value}) == {"Factors": text}


@pytest.mark.parametrize("nothing", [[], {}, None, ""])
def test_what_would_be_an_empty_text_is_left_out(nothing: Any) -> None:
    fields = compile_map("nc", {"factors": {"to": "Factors", "type": "text", "required": False}}, Shared())
    assert fields.out({"factors": nothing}) == {}
