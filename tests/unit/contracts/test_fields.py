"""Field maps carry records in both directions, name the field that is at fault, and cost microseconds."""

from __future__ import annotations

import logging
import math
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv_testing.contracts.fields import FieldMap, Shared, compile_map
from pv_testing.contracts.words import Vocabulary, two_way
from pv_testing.core.errors import MappingError

VERDICT = two_way("verdict", {"PASS": "Pass", "FAIL": "Fail", "UNDECIDED": "Review"})
TABLE = {"Pmax": "W", "NOCT": "°C"}


def shared(**maps: FieldMap) -> Shared:
    return Shared({"verdict": VERDICT}, {"analytes": TABLE}, maps)


def mapped(spec: Any, data: dict[str, Any]) -> Any:
    return compile_map("m", {"field": spec}, shared()).out(data).get("field")


def refusal(fields: dict[str, Any], data: dict[str, Any], **maps: FieldMap) -> MappingError:
    with pytest.raises(MappingError) as caught:
        compile_map("m", fields, shared(**maps)).out(data)
    return caught.value


MEASUREMENT = compile_map(
    "measurement",
    {
        "parameter": "analyte",
        "value": {"type": "number", "unit": {"of": "parameter", "in": "analytes"}, "unit_from": "unit"},
        "unit": {"type": "unit", "unit": {"of": "parameter", "in": "analytes"}},
        "uncertainty": {
            "type": "number",
            "unit": {"of": "parameter", "in": "analytes"},
            "unit_from": "unit",
            "difference": True,
            "required": False,
        },
    },
    shared(),
)


def test_short_and_long_forms_nested_targets_and_aliases() -> None:
    fields = compile_map(
        "sample",
        {
            "sr_number": "ProjectID",
            "customer_name": {"to": "client.name", "from": ["customer_name", "customer.name"]},
            "model": {"to": "client.product", "from": "module.model", "required": False},
            "sample_type": {"to": "type", "default": "PV Module"},
            "source": {"to": "source", "const": "framework"},
        },
        shared(),
    )
    record = {"sr_number": "SR-1", "customer": {"name": "Solar"}, "module": None}
    expected = {"ProjectID": "SR-1", "client": {"name": "Solar"}, "type": "PV Module", "source": "framework"}
    assert fields.out(record) == expected
    assert fields.out({**record, "customer_name": "First", "module": {"model": "X"}})["client"] == {
        "name": "First",
        "product": "X",
    }
    assert fields.mapping["customer_name"] == "client.name"
    assert fields.required == ("sr_number", "customer_name")
    assert record == {"sr_number": "SR-1", "customer": {"name": "Solar"}, "module": None}


@pytest.mark.parametrize("nothing", [{}, {"field": None}, {"field": ""}])
def test_a_missing_field_is_named_as_the_guide_names_it(nothing: dict[str, Any]) -> None:
    error = refusal({"field": "there"}, nothing)
    assert error.message == "Missing field: field"
    assert error.code == "FIELD_MISSING"
    assert compile_map("m", {"field": {"required": False}}, shared()).out(nothing) == {}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("string", 5678, "5678"),
        ("string", 1.5, "1.5"),
        ("number", "412.357", 412.357),
        ("number", " 12 ", 12),
        ("number", Decimal("1.50"), 1.5),
        ("integer", "7", 7),
        ("integer", 7.0, 7),
        ("decimal", "412.50", "412.50"),
        ("decimal", Decimal("412.50"), "412.50"),
        ("decimal", 0, "0"),
        ("boolean", "True", True),
        ("boolean", False, False),
        ("date", "2025-12-31", "2025-12-31"),
        ("date", date(2025, 12, 31), "2025-12-31"),
        ("date", datetime(2025, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-9))), "2025-12-31"),
        ("datetime", "2025-11-13T15:30:00Z", "2025-11-13T15:30:00Z"),
        ("datetime", "2025-11-13T15:30:00.5+02:00", "2025-11-13T13:30:00.500Z"),
        ("datetime", "2025-11-13T15:30:00.123456789z", "2025-11-13T15:30:00.123456Z"),
        ("datetime", datetime(2025, 11, 13, 15, 30, tzinfo=timezone.utc), "2025-11-13T15:30:00Z"),
        ("list", (1, "a"), [1, "a"]),
    ],
)
def test_types(kind: str, value: Any, expected: Any) -> None:
    found = mapped({"type": kind}, {"field": value})
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        ("string", True, "NOT_TEXT"),
        ("string", ["a"], "NOT_TEXT"),
        *(
            ("number", value, "NOT_A_NUMBER")
            for value in (math.nan, math.inf, "NaN", "-inf", "1_0", "١٢", "0x1", True, [])
        ),
        *(("number", value, "NOT_A_NUMBER") for value in ("1e999", "9" * 100, 2**70, "no defects", Decimal("sNaN"))),
        *(("decimal", value, "NOT_A_NUMBER") for value in (math.nan, "Infinity", False, "12,5")),
        ("integer", 7.5, "NOT_WHOLE"),
        ("boolean", "yes", "NOT_A_TRUTH_VALUE"),
        ("boolean", 1, "NOT_A_TRUTH_VALUE"),
        ("date", "31.12.2025", "NOT_A_DATE"),
        ("date", "20251231", "NOT_A_DATE"),
        ("date", "2025-02-30", "NOT_A_DATE"),
        ("date", 20251231, "NOT_A_DATE"),
        ("datetime", "20251113T153000Z", "NOT_A_TIME"),
        ("datetime", "2025-W46-4T15:30:00Z", "NOT_A_TIME"),
        ("datetime", "2025-11-13T15:30:00+99:00", "NOT_A_TIME"),
        ("date", "2025-12-31T00:00:00Z", "NOT_A_DATE"),
        ("datetime", "2025-12-31", "NOT_A_TIME"),
        ("datetime", "2025-13-31T00:00:00Z", "NOT_A_TIME"),
        ("datetime", "0001-01-01T00:00:00+14:00", "NOT_A_TIME"),
        ("datetime", 1763040600, "NOT_A_TIME"),
        ("list", "a", "NOT_A_LIST"),
    ],
)
def test_types_that_are_refused(kind: str, value: Any, code: str) -> None:
    error = refusal({"field": {"type": kind}}, {"field": value})
    assert error.code == code
    assert error.message.startswith("field: ")


def test_without_a_type_only_what_json_can_say_passes() -> None:
    inside = {
        "a": [1, None, {"b": datetime(2025, 1, 1, tzinfo=timezone.utc)}],
        "c": Decimal("1.5"),
        "d": date(2025, 1, 1),
    }
    expected = {"a": [1, None, {"b": "2025-01-01T00:00:00Z"}], "c": 1.5, "d": "2025-01-01"}
    assert mapped("field", {"field": inside}) == expected
    assert refusal({"field": "field"}, {"field": {"deep": [math.nan]}}).code == "NOT_A_NUMBER"
    assert refusal({"field": "field"}, {"field": object()}).code == "TYPE"


def test_a_time_without_zone_is_taken_as_utc_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    fields = compile_map("m", {"completed_at": {"to": "date", "type": "datetime"}}, shared())
    with caplog.at_level(logging.WARNING):
        assert fields.out({"completed_at": "2025-11-13T07:00:00Z"}) == {"date": "2025-11-13T07:00:00Z"}
        assert not caplog.records
        for hour in range(7, 10):
            record = {"completed_at": f"2025-11-13T0{hour}:00:00"}
            assert fields.out(record) == {"date": f"2025-11-13T0{hour}:00:00Z"}
    (warning,) = caplog.messages
    assert warning == "date: 2025-11-13T07:00:00 has no zone and is taken as UTC, and so are all like it"


def test_too_long_is_refused_and_never_cut() -> None:
    assert mapped({"max_length": 3}, {"field": "abc"}) == "abc"
    error = refusal({"field": {"max_length": 3}}, {"field": "abcd"})
    assert error.code == "TOO_LONG"
    assert error.message == "field: has 4 characters, the system takes 3"


def test_a_word_goes_through_its_vocabulary_both_ways() -> None:
    fields = compile_map("m", {"qc_status": {"to": "Status", "vocabulary": "verdict"}}, shared())
    assert fields.out({"qc_status": "pass"}) == {"Status": "Pass"}
    assert fields.back({"Status": "REVIEW"}) == {"qc_status": "UNDECIDED"}
    error = refusal({"qc_status": {"vocabulary": "verdict"}}, {"qc_status": "MAYBE"})
    assert error.code == "STATUS_UNKNOWN"
    assert "known are PASS, FAIL, UNDECIDED" in error.message
    with pytest.raises(MappingError, match="known are Pass, Fail, Review"):
        fields.back({"Status": "Perhaps"})


def test_an_unknown_word_of_the_system_has_the_meaning_that_the_contract_names() -> None:
    words = Vocabulary("state", {"OPEN": "Open"}, {"Open": "OPEN"}, otherwise="UNKNOWN")
    assert words.read("Archived") == "UNKNOWN"
    with pytest.raises(MappingError):
        words.write("ARCHIVED")


def test_the_first_of_two_words_stands_for_one_of_theirs() -> None:
    words = two_way("state", {"NEW": "Open", "PAUSED": "Open"})
    assert (words.write("PAUSED"), words.read("open")) == ("Open", "NEW")


def test_a_measurement_is_sent_in_the_unit_that_the_system_wants() -> None:
    record = {"parameter": "Pmax", "value": 0.4025, "unit": "kW", "uncertainty": 0.0012}
    assert MEASUREMENT.out(record) == {"analyte": "Pmax", "value": 402.5, "unit": "W", "uncertainty": 1.2}
    record = {"parameter": "NOCT", "value": 318.15, "unit": "K", "uncertainty": 1.0}
    assert MEASUREMENT.out(record) == {"analyte": "NOCT", "value": 45.0, "unit": "°C", "uncertainty": 1.0}


def test_a_quantity_that_the_system_has_no_wish_for_is_sent_as_it_came() -> None:
    record = {"parameter": "Riso", "value": 40, "unit": "MΩ·m²", "uncertainty": None}
    assert MEASUREMENT.out(record) == {"analyte": "Riso", "value": 40, "unit": "MΩ·m²"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"unit": "V"}, "UNIT_MISMATCH"),
        ({"unit": "parsec per fortnite"}, "UNIT_UNKNOWN"),
        ({"unit": ""}, "UNIT_MISSING"),
        ({"unit": None}, "UNIT_MISSING"),
        ({"parameter": "Riso", "unit": None}, "UNIT_MISSING"),
        ({"value": math.nan}, "NOT_A_NUMBER"),
        ({"value": math.nan, "unit": "kW"}, "NOT_A_NUMBER"),
        ({"value": "NaN", "unit": "kW"}, "NOT_A_NUMBER"),
        ({"value": None}, "FIELD_MISSING"),
    ],
)
def test_a_measurement_that_can_not_be_trusted_is_refused(change: dict[str, Any], code: str) -> None:
    good = {"parameter": "Pmax", "value": 402.5, "unit": "W"}
    fields = {"measurements": {"to": "results", "each": "measurement"}}
    error = refusal(fields, {"measurements": [good, {**good, **change}]}, measurement=MEASUREMENT)
    assert error.code == code
    assert error.message.startswith("measurements[1]: ")


def test_a_quantity_with_its_unit_is_converted_and_comes_back_with_it() -> None:
    fields = compile_map("m", {"Pmax": {"to": "MaxPower_W", "unit": "W"}}, shared())
    assert fields.out({"Pmax": {"value": 0.4, "unit": "kW"}}) == {"MaxPower_W": 400.0}
    assert fields.back({"MaxPower_W": 400.0}) == {"Pmax": {"value": 400.0, "unit": "W"}}
    error = refusal({"Pmax": {"to": "MaxPower_W", "unit": "W"}}, {"Pmax": 400.0})
    assert error.code == "UNIT_MISSING"


def test_what_becomes_of_fields_that_no_map_names() -> None:
    record = {"a": 1, "b": 2, "c": None}
    assert compile_map("m", {"a": "A"}, shared()).out(record) == {"A": 1}
    assert compile_map("m", {"a": "A"}, shared(), "keep").out(record) == {"A": 1, "b": 2, "c": None}
    with pytest.raises(MappingError, match="m maps no field b, c"):
        compile_map("m", {"a": "A"}, shared(), "refuse").out(record)


REVERSIBLE = compile_map(
    "result",
    {
        "execution_id": "external_id",
        "protocol_id": "test.id",
        "operator": {"to": "test.operator", "from": ["operator.name", "operator_name"]},
        "qc_status": {"to": "Status", "vocabulary": "verdict"},
        "power": {"to": "Power_W", "unit": "W"},
        "notes": {"required": False},
        "measurements": {"to": "results", "each": "measurement"},
    },
    shared(measurement=MEASUREMENT),
)


def nested(**field: Any) -> FieldMap:
    """Return a map of orders with lines with parts, whose parts have one more field."""
    part = compile_map("part", {"name": "Name", "field": {"to": "Field", **field}}, shared())
    line = compile_map("line", {"number": "Number", "parts": {"to": "Parts", "each": "part"}}, shared(part=part))
    return compile_map("order", {"lines": {"to": "Lines", "each": "line"}}, shared(line=line))


ORDER = {
    "order": "O-1",
    "customer": {"name": "Helios"},
    "unit": "kW",
    "lines": [{"number": 1, "parts": [{"name": "a", "power": 1}, {"name": "b", "power": 2}]}],
}


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ({"from": "^.number"}, [1, 1]),
        ({"from": "^.^.order"}, ["O-1", "O-1"]),
        ({"from": ["code", "^.^.customer.name"]}, ["Helios", "Helios"]),
        ({"from": "power", "unit": "W", "unit_from": "^.^.unit", "type": "integer"}, [1000, 2000]),
    ],
)
def test_a_record_of_a_list_takes_from_what_is_around_it(field: dict[str, Any], sent: list[Any]) -> None:
    (line,) = nested(**field).out(ORDER)["Lines"]
    assert line == {"Number": 1, "Parts": [{"Name": name, "Field": one} for name, one in zip("ab", sent, strict=True)]}


def test_what_is_not_around_it_is_missing() -> None:
    with pytest.raises(MappingError, match=r"lines\[0\]: parts\[0\]: Missing field: field"):
        nested(**{"from": "^.order"}).out(ORDER)
    with pytest.raises(MappingError) as refused:
        nested(**{"from": "^.^.order"}).out({**ORDER, "lines": ["text"]})
    assert refused.value.code == "FIELD_MISSING"


def test_what_is_around_a_record_is_not_read_back_from_it() -> None:
    sent = nested(**{"from": "^.^.order"}).out(ORDER)
    assert nested(**{"from": "^.^.order"}).back(sent)["lines"][0]["parts"] == [{"name": "a"}, {"name": "b"}]


words = st.text(min_size=1, max_size=20)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
measurements = st.one_of(
    st.fixed_dictionaries({"parameter": st.just("Pmax"), "value": numbers, "unit": st.just("W")}),
    st.fixed_dictionaries(
        {"parameter": words.filter(lambda word: word not in TABLE), "value": numbers, "unit": words},
        optional={"uncertainty": numbers},
    ),
)
records = st.fixed_dictionaries(
    {
        "execution_id": words,
        "protocol_id": words,
        "operator": st.fixed_dictionaries({"name": words}),
        "qc_status": st.sampled_from(["PASS", "FAIL", "UNDECIDED"]),
        "power": st.fixed_dictionaries({"value": numbers, "unit": st.just("W")}),
        "measurements": st.lists(measurements, max_size=4),
    },
    optional={"notes": words},
)


@given(records)
def test_out_and_back_gives_the_same_record(record: dict[str, Any]) -> None:
    assert REVERSIBLE.back(REVERSIBLE.out(record)) == record


@given(st.dictionaries(st.sampled_from(["parameter", "value", "unit", "uncertainty"]), st.from_type(object)))
def test_any_record_is_mapped_or_refused_with_a_code(record: dict[str, Any]) -> None:
    code = ""
    try:
        MEASUREMENT.out(record)
    except MappingError as error:
        code = error.code
    assert code != MappingError.default_code
