"""Who is assigned: the free operator, found the same way every time."""

from __future__ import annotations

import pytest

from pv_testing.projects import address, find_available_operator


def user(identity, role="operator", *, active=True, email=None):
    return {"id": identity, "role": role, "active": active, "email": f"{identity}@lab" if email is None else email}


@pytest.mark.parametrize(
    ("users", "load", "expected"),
    [
        ([user(44), user(42), user(43)], {}, "42@lab"),
        ([user(9), user(10)], {}, "9@lab"),
        ([user(42), user(43)], {"42@lab": 2, "43@lab": 1}, "43@lab"),
        ([user(42), user(43)], {"42@lab": 1, "43@lab": 1}, "42@lab"),
        ([user(42, active=False), user(43)], {}, "43@lab"),
        ([user(42, email=""), user(43)], {"43@lab": 5}, "43@lab"),
        ([user(1, "engineer"), user(42)], {"42@lab": 9}, "42@lab"),
        ([user(1, "Engineer"), user(42, active=False)], {}, "1@lab"),
        ([user("OP-002"), user("OP-001")], {}, "OP-001@lab"),
        ([user(1, "viewer"), user(2, "admin")], {}, ""),
        ([], {}, ""),
    ],
)
def test_the_free_operator_is_found(users, load, expected):
    assert find_available_operator(users, load) == expected


def test_other_roles_can_be_asked_for():
    assert find_available_operator([user(1, "technician"), user(2)], {}, ["technician"]) == "1@lab"


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ({"id": 42}, "42@lab"),
        ({"id": "42", "email": "own@lab"}, "own@lab"),
        ({"id": 4711}, "4711"),
        ({"id": "OP-001"}, "OP-001"),
        ({}, ""),
    ],
)
def test_an_operator_is_named_by_address_else_by_id(operator, expected):
    assert address(operator, {"42": user(42)}) == expected
