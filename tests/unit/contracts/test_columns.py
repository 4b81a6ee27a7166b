"""Values have one form in both directions, and what a column can't hold is refused before it is sent."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal

import pytest

from pv_testing.contracts.columns import TableColumn
from pv_testing.core.errors import MappingError

moment = datetime.fromisoformat
SAME = [
    (TableColumn("c", "decimal", digits=3), "402.50", Decimal("402.500"), "402.5"),
    (TableColumn("c", "decimal"), "0", Decimal("0E-3"), "0"),
    (TableColumn("c", "decimal"), "1E+3", 1000.0, "1000"),
    (TableColumn("c", "integer"), "7", Decimal(7), 7),
    (TableColumn("c", "number"), "1.5", Decimal("1.5"), 1.5),
    (TableColumn("c", "boolean"), True, 1, True),
    (TableColumn("c", "date"), "2025-11-12", date(2025, 11, 12), "2025-11-12"),
    (TableColumn("c", "text"), "a", "a", "a"),
    (
        TableColumn("c", "datetime", digits=0),
        "2025-11-12T15:30:00.9+01:00",
        moment("2025-11-12T14:30"),
        "2025-11-12T14:30:00Z",
    ),
    (
        TableColumn("c", "datetime", zone="Europe/Berlin"),
        "2025-07-01T12:00:00Z",
        moment("2025-07-01T14:00"),
        "2025-07-01T12:00:00Z",
    ),
    (
        TableColumn("c", "instant"),
        "2025-07-01T12:00:00Z",
        datetime(2025, 7, 1, 12, tzinfo=timezone.utc),
        "2025-07-01T12:00:00Z",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("column", "sent", "raw", "wanted"), SAME)
def test_what_is_sent_equals_what_is_found(column, sent, raw, wanted):
    assert column.sent(sent) == column.read(raw) == wanted
    assert column.sent(None) is column.read(None) is None


def test_the_driver_gets_types_of_its_own():
    assert TableColumn("c", "decimal").bound("402.50") == Decimal("402.5")
    assert TableColumn("c", "datetime", zone="Europe/Berlin").bound("2025-07-01T12:00:00Z") == moment(
        "2025-07-01T14:00"
    )
    assert TableColumn("c", "instant").bound("2025-07-01T12:00:00Z").tzinfo is not None
    assert TableColumn("c", "date").bound("2025-11-12") == date(2025, 11, 12)
    assert TableColumn("c", "integer").bound("12") == 12


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        (TableColumn("c", "text", length=3), "abcd", "TOO_LONG"),
        (TableColumn("c", "decimal", digits=2), "1.234", "TOO_PRECISE"),
        (TableColumn("c", "integer"), "1.5", "NOT_WHOLE"),
        (TableColumn("c", "decimal"), "many", "NOT_A_NUMBER"),
        (TableColumn("c", "datetime"), "yesterday", "NOT_A_TIME"),
        (TableColumn("c", "date"), "2025-13-01", "NOT_A_DATE"),
        (TableColumn("c", "boolean"), "maybe", "NOT_A_TRUTH_VALUE"),
        (TableColumn("c", "text"), True, "NOT_TEXT"),
    ],
)
def test_what_a_column_can_t_hold_is_refused(column, value, code):
    with pytest.raises(MappingError, match="column c") as caught:
        column.sent(value)
    assert caught.value.code == code


def test_what_a_database_holds_against_its_type_is_shown_as_text():
    assert TableColumn("c", "integer").read("many") == "many"
