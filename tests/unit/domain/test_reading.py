"""Shows that every documented shape of a service request and of an execution is read the same way."""

from __future__ import annotations

import pytest

from pv_testing.core.errors import DataError
from pv_testing.domain.reading import read_execution, read_service_request
from pv_testing.quality.judgement import judge

API_REQUEST = {
    "id": 123,
    "sr_number": "SR-2025-0123",
    "status": "TESTING_IN_PROGRESS",
    "customer": {"name": "Solar Corporation"},
    "module": {
        "manufacturer": "AST",
        "model": "M400",
        "power_rating": 400,
        "quantity": 3,
        "serial_numbers": ["A1", "A2"],
    },
    "testing": {"protocols": ["PVTP-001", "PVTP-018"]},
    "protocols": [{"protocol_id": "PVTP-018", "status": "COMPLETE"}, {"protocol_id": "PVTP-018"}],
}


def test_one_module_object_with_serial_numbers_is_expanded():
    request = read_service_request(API_REQUEST)
    assert [module.serial_number for module in request.modules] == ["A1", "A2"]
    assert request.modules[0].details == {"manufacturer": "AST", "model": "M400", "power_rating": 400}
    assert request.quantity == 3


@pytest.mark.parametrize(
    ("quantity", "expected"), [("12", 12), (12.0, 12), ("12.00", 12), (" 12 ", 12), (0, 0), (None, 2), (" ", 2)]
)
def test_the_announced_number_of_modules_is_read_also_from_text(quantity, expected):
    module = {**API_REQUEST["module"], "quantity": quantity}
    assert read_service_request({**API_REQUEST, "module": module}).quantity == expected


@pytest.mark.parametrize(
    "quantity",
    ["12 pcs", "a dozen", 12.5, "12.5", "1,200", -1, True, float("nan"), "sNaN", float("inf"), "1e999999999", [12], {}],
)
def test_an_announced_number_that_is_no_whole_one_is_not_replaced_by_another(quantity):
    request = read_service_request({**API_REQUEST, "module": {**API_REQUEST["module"], "quantity": quantity}})
    assert (request.quantity, request.announced) == (None, str(quantity))
    assert len(request.modules) == 2


def test_a_list_of_modules_is_taken_as_it_is():
    listed = [{"serial_number": "A1", "model": "M400"}, {"serial_number": "A2", "model": "M410"}]
    request = read_service_request({**API_REQUEST, "module": None, "modules": listed})
    assert [(m.serial_number, m.details["model"]) for m in request.modules] == [("A1", "M400"), ("A2", "M410")]
    assert request.quantity == 2


def test_assigned_protocols_win_over_requested_ones_and_come_once():
    assert read_service_request(API_REQUEST).protocols == ("PVTP-018",)
    assert read_service_request({**API_REQUEST, "protocols": []}).protocols == ("PVTP-001", "PVTP-018")


def test_a_request_without_a_number_is_refused():
    with pytest.raises(DataError) as caught:
        read_service_request({"id": 7})
    assert caught.value.code == "SR_NUMBER_MISSING"


@pytest.mark.parametrize(
    "results",
    [
        {"results": {"measurements": {"Pmax": {"value": 398.5, "unit": "W", "uncertainty": 1.2}}, "qc_status": "PASS"}},
        {"measurements": [{"parameter": "Pmax", "value": 398.5, "unit": "W", "uncertainty": 1.2}], "qc_status": "PASS"},
    ],
)
def test_measurements_are_read_by_name_and_as_a_list(results):
    execution = read_execution({"execution_id": 5678, "protocol_id": "PVTP-001"}, results)
    (pmax,) = execution.measurements
    assert (pmax.parameter, pmax.value, pmax.unit, pmax.uncertainty) == ("Pmax", 398.5, "W", 1.2)
    assert execution.qc_status == "PASS"
    assert execution.execution_id == "5678"


@pytest.mark.parametrize(
    "fields", [{"module_id": "A1"}, {"module_serial_number": "A1"}, {"module": {"serial_number": "A1"}}]
)
def test_the_module_is_known_under_each_of_its_names(fields):
    assert read_execution({"execution_id": 1, **fields}).serial_number == "A1"


@pytest.mark.parametrize(
    ("fields", "equipment"),
    [
        ({"equipment": {"simulator": "SIM-001", "tracer": "IVT-001"}}, ("SIM-001", "IVT-001")),
        ({"equipment": {"simulator": {"id": "SIM-001", "model": "X"}}}, ("SIM-001",)),
        ({"equipment_used": ["SIM-001"]}, ("SIM-001",)),
        ({}, ()),
    ],
)
def test_equipment_becomes_a_list_of_identifiers(fields, equipment):
    assert read_execution({"execution_id": 1, **fields}).equipment == equipment


def test_operator_and_times_are_known_under_both_names():
    api = read_execution({"execution_id": 1, "operator_id": 42, "started_at": "a", "completed_at": "b"})
    file = read_execution({"execution_id": 1, "operator": {"id": 42, "name": "O"}, "start_time": "a", "end_time": "b"})
    assert (api.operator, api.started_at, api.completed_at) == ({"id": 42}, "a", "b")
    assert (file.operator["name"], file.started_at, file.completed_at) == ("O", "a", "b")


def test_the_fill_factor_of_the_analysis_is_a_measurement_unless_it_is_one_already():
    derived = {"results": {"measurements": {"Voc": {"value": 48, "unit": "V"}}, "analysis": {"fill_factor": 78.5}}}
    assert [m.parameter for m in read_execution({"execution_id": 1}, derived).measurements] == ["Voc", "Fill_Factor"]
    derived["results"]["measurements"]["Fill_Factor"] = {"value": 78.7, "unit": "%"}
    measured = read_execution({"execution_id": 1}, derived).measurements
    assert [(m.parameter, m.value) for m in measured] == [("Voc", 48), ("Fill_Factor", 78.7)]


@pytest.mark.parametrize("fields", [{"customer": "Solar Corp"}, {"module": "AST"}])
def test_a_part_of_a_request_that_is_no_object_is_refused_by_name(fields):
    with pytest.raises(DataError) as caught:
        read_service_request({**API_REQUEST, **fields})
    ((field, value),) = fields.items()
    assert caught.value.code == "NOT_AN_OBJECT"
    assert f"service request SR-2025-0123: {field} is {value!r}" in str(caught.value)


@pytest.mark.parametrize("fields", [{"modules": ["A1"]}, {"assigned_pm": ["Ada"]}, {"customer": ["Solar Corp"]}])
def test_no_record_is_made_of_text_where_its_parts_belong(fields):
    with pytest.raises(DataError, match="SR-2025-0123"):
        read_service_request({**API_REQUEST, **fields})


@pytest.mark.parametrize(
    ("assignee", "manager"),
    [(5, {"id": 5}), ("Anna", {"name": "Anna"}), (" ", {}), (None, {}), ({"email": "a@lab"}, {"email": "a@lab"})],
)
def test_a_manager_of_whom_only_a_number_or_a_name_is_said_holds_nothing_up(assignee, manager):
    assert read_service_request({**API_REQUEST, "assigned_pm": assignee}).manager == manager


@pytest.mark.parametrize("testing", ["IEC 61215", ["IEC 61215"], 61215])
def test_words_about_the_testing_hold_nothing_up_where_the_protocols_are_listed(testing):
    request = read_service_request({**API_REQUEST, "testing": testing})
    assert (request.protocols, request.priority, request.delivery_date) == (("PVTP-018",), "", "")


def test_words_about_the_testing_are_no_protocols():
    assert read_service_request({**API_REQUEST, "protocols": [], "testing": "IEC 61215"}).protocols == ()


def test_a_list_in_place_of_the_testing_that_may_be_the_only_protocols_is_not_lost():
    with pytest.raises(DataError, match="service request SR-2025-0123: testing is") as caught:
        read_service_request({**API_REQUEST, "protocols": [], "testing": ["PVTP-001"]})
    assert caught.value.code == "NOT_AN_OBJECT"


@pytest.mark.parametrize("identifier", ["seven", [7], float("inf")])
def test_a_request_whose_id_is_no_number_is_refused(identifier):
    with pytest.raises(DataError, match="SR-2025-0123: id") as caught:
        read_service_request({**API_REQUEST, "id": identifier})
    assert caught.value.code == "NOT_WHOLE"


def test_parts_that_the_framework_leaves_empty_are_empty():
    request = read_service_request({**API_REQUEST, "customer": None, "module": None, "assigned_pm": None})
    assert (request.customer, request.modules, request.manager) == ({}, (), {})


@pytest.mark.parametrize(
    "results",
    [
        {"measurements": "see report"},
        {"measurements": ["Pmax=400"]},
        {"results": {"measurements": ["Pmax=400"]}},
        {"pass_fail": {"criteria": {"Pmax": "PASS"}}},
        {"results": {"pass_fail": {"criteria": ["Pmax ok"]}}},
        {"pass_fail": ["FAIL"]},
        {"results": {"pass_fail": False}},
        ["Pmax", 400],
    ],
)
def test_results_of_no_known_shape_are_refused_by_the_name_of_their_execution(results):
    with pytest.raises(DataError, match="execution 5678") as caught:
        read_execution({"execution_id": 5678}, results)
    assert caught.value.code in {"NOT_AN_OBJECT", "NOT_A_LIST"}


@pytest.mark.parametrize("results", [{"pass_fail": "FAIL"}, {"results": {"pass_fail": "FAIL"}}])
def test_a_mere_word_about_pass_and_fail_is_the_overall_verdict(results):
    listing = {"execution_id": 5678, "qc_status": None}
    assert read_execution(listing, results).qc_status == "FAIL"
    assert read_execution({**listing, **results}).criteria == ()
    assert judge(read_execution({**listing, **results, "qc_status": "PASS"})).failed


def test_a_record_that_is_only_text_is_refused():
    for read in (read_service_request, read_execution):
        with pytest.raises(DataError, match="'SR-2025-0123'"):
            read("SR-2025-0123")


def test_a_measurement_whose_parameter_has_parts_is_still_one_measurement():
    (measured,) = read_execution(
        {"execution_id": 1, "measurements": [{"parameter": ["Pmax"], "value": 1}]}
    ).measurements
    assert (measured.parameter, measured.value) == ("['Pmax']", 1)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"module": {"serial_numbers": "A1, A2"}}, "module.serial_numbers"),
        ({"module": {"serial_numbers": {"first": "A1"}}}, "module.serial_numbers"),
        ({"module": {"serial_numbers": 7}}, "module.serial_numbers"),
        ({"modules": "A1"}, "modules"),
        ({"protocols": "PVTP-001"}, "protocols"),
        ({"protocols": [], "assigned_protocols": "PVTP-001"}, "assigned_protocols"),
        ({"protocols": [], "testing": {"protocols": "PVTP-001, PVTP-018"}}, "testing.protocols"),
    ],
)
def test_text_where_a_list_belongs_becomes_no_records_of_single_characters(fields, field):
    with pytest.raises(DataError) as caught:
        read_service_request({**API_REQUEST, **fields})
    assert caught.value.code == "NOT_A_LIST"
    assert f"service request SR-2025-0123: {field} is " in caught.value.message


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"equipment_used": "SIM-001"}, "equipment"),
        ({"equipment": 7}, "equipment"),
        ({"measurements": "see report"}, "measurements"),
        ({"pass_fail": {"criteria": {"Pmax": "PASS"}}}, "criteria"),
        ({"results": {"pass_fail": {"criteria": "Pmax ok"}}}, "criteria"),
    ],
)
def test_text_is_no_list_in_an_execution_either(fields, field):
    with pytest.raises(DataError) as caught:
        read_execution({"execution_id": 5678, **fields})
    assert caught.value.code == "NOT_A_LIST"
    assert f"execution 5678: {field} is " in caught.value.message


def test_a_list_that_is_missing_or_null_is_empty():
    request = read_service_request({"sr_number": "SR-1", "module": {"serial_numbers": None}, "protocols": None})
    assert (request.modules, request.protocols) == ((), ())
    execution = read_execution({"execution_id": 1, "equipment": None, "measurements": None, "pass_fail": None})
    assert (execution.equipment, execution.measurements, execution.criteria) == ((), (), ())


def test_a_serial_number_is_not_made_of_an_object():
    with pytest.raises(DataError, match="SR-2025-0123") as caught:
        read_service_request({**API_REQUEST, "module": {"serial_numbers": [{"serial": "A1"}]}})
    assert caught.value.code == "NOT_TEXT"
    with pytest.raises(DataError, match="execution 5678"):
        read_execution({"execution_id": 5678, "module_id": {"serial": "A1"}})
