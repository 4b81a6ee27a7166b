"""Shows that a record of a shape that nobody documents waits under its name and stops no other."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

SR = "SR-2025-0001"


def in_framework(trip, sql: str) -> None:
    with closing(sqlite3.connect(trip.lab.settings.database("framework"))) as connection, connection:
        connection.execute(sql)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ("customer = '\"Solar Corp\"'", "NOT_AN_OBJECT"),
        ("module = '\"AST\"'", "NOT_AN_OBJECT"),
        ("module = json_set(module, '$.serial_numbers', 'A1, A2')", "NOT_A_LIST"),
        ("testing = json_set(testing, '$.protocols', 'PVTP-001')", "NOT_A_LIST"),
    ],
)
def test_a_request_of_an_unknown_shape_waits_alone(laboratory, changed, code):
    trip = laboratory(state="new", requests=2, modules=2, protocols=1)
    in_framework(trip, f"UPDATE service_requests SET {changed} WHERE id = 1")
    report = trip.intake()
    assert {key.partition("/")[0] for key in report.external_ids()} == {"SR-2025-0002"}
    (waits,) = report.not_in_effect()
    assert (waits.key, waits.result.value, waits.code) == ("service request 1", "quarantined", code)
    assert SR in waits.reason
