"""Shows which modules become samples, and that serial numbers are never invented."""

from __future__ import annotations

from dataclasses import replace

from pv_testing.domain.reading import read_service_request
from pv_testing.samples.records import sample_records, shortfalls


def request(serials, quantity=3):
    return read_service_request(
        {
            "id": 1,
            "sr_number": "SR-2025-0001",
            "customer": {"name": "Solar Corporation"},
            "module": {"manufacturer": "AST", "quantity": quantity, "serial_numbers": serials},
        }
    )


def test_one_record_for_each_module_keyed_by_request_and_serial_number():
    records = sample_records(request(["A1", "A2", "A3"]))
    assert [record.key for record in records] == ["SR-2025-0001/A1", "SR-2025-0001/A2", "SR-2025-0001/A3"]
    assert all(record.problem is None for record in records)
    assert records[0].data["customer_name"] == "Solar Corporation"


def test_a_missing_serial_number_is_a_record_with_its_problem():
    records = sample_records(request(["A1", "  ", None]))
    assert [record.problem and record.problem.code for record in records] == [None, "SERIAL_MISSING", "SERIAL_MISSING"]
    assert records[1].key == "SR-2025-0001/(module 2)"


def test_a_serial_number_that_comes_twice_is_nobodys():
    records = sample_records(request(["A1", "A2", "A1"]))
    assert [record.problem and record.problem.code for record in records] == [
        "SERIAL_DUPLICATE",
        None,
        "SERIAL_DUPLICATE",
    ]


def test_fewer_serial_numbers_than_modules_is_said():
    assert shortfalls([request(["A1"]), request(["A1", "A2", "A3"])]) == [
        "SR-2025-0001: 1 of 3 serial numbers known; the rest follow after inspection"
    ]
    assert shortfalls([request(["A1", "A2"], quantity=1)]) == [
        "SR-2025-0001: 2 of 1 serial numbers known; more than announced"
    ]


def test_a_request_of_nobody_knows_how_many_modules_is_named():
    unknown = replace(request(["A1", "A2"]), quantity=None, announced="12 pcs")
    (shortfall,) = shortfalls([unknown])
    assert "2 serial numbers known; the number of modules is unknown: '12 pcs' is no whole number" in shortfall
    assert shortfall.startswith("SR-2025-0001: ")
    assert shortfall.endswith("[QUANTITY_UNKNOWN]")
    assert [record.problem for record in sample_records(unknown)] == [None, None]


def test_a_sample_says_which_protocols_are_to_be_run_on_it():
    asked = read_service_request(
        {"id": 1, "sr_number": "SR-1", "module": {"serial_numbers": ["A1"]}, "protocols": [{"protocol_id": "PVTP-001"}]}
    )
    assert sample_records(asked)[0].data["protocols"] == ["PVTP-001"]
