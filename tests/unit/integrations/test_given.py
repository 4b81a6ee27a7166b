"""Nothing that a caller says in the guide's words is lost: it is sent, or refused by its name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import sandbox
from pv_testing.core.errors import MappingError
from pv_testing.integrations import ERPClient, LIMSClient, PMClient, QMSClient
from pv_testing.integrations.client import SystemClient
from sandbox import Lab

NC = {
    "title": "Module failed",
    "description": "Too weak",
    "detection_date": "2025-11-13T15:30:00Z",
    "affected_items": [{"type": "Module", "id": "SN001", "quantity": 1}],
    "root_cause_analysis": {"immediate_cause": "Pmax: 371 W"},
    "proposed_corrective_action": "Repeat",
}
LINE = {"description": "A test", "quantity": 2, "unit_price": "10.00"}
INVOICE = {
    "customer_id": "CUST-000001",
    "invoice_date": "2026-04-01",
    "due_date": "2026-05-01",
    "reference": "SR-1",
    "line_items": [LINE],
}
CREDIT = {
    "invoice_id": "INV-000001",
    "reference": "SR-1/A",
    "invoice_date": "2026-04-01",
    "line_items": [LINE],
    "reason": "withdrawn",
    "currency": "EUR",
}
RESULT = {"sample_id": "LIM-000001", "test_id": "PVTP-001", "test_name": "STC", "test_date": "2025-11-13T15:30:00Z"}
MEASURED = {"analyte": "Pmax", "value": 398.5, "unit": "W", "status": "PASS"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with sandbox.serve() as served:
        yield served


@pytest.fixture
def clients(lab: Lab) -> Iterator[dict[str, Any]]:
    known = lab.credentials
    made: dict[str, SystemClient] = {
        "lims": LIMSClient(lab.lims_url, api_key=known.lims_api_key),
        "qms": QMSClient(lab.url("qms"), username=known.qms_username, password=known.qms_password),
        "pm": PMClient(lab.url("pm"), api_token=known.pm_token),
        "erp": ERPClient(lab.url("erp"), client_id=known.erp_client_id, client_secret=known.erp_client_secret),
    }
    yield made
    for client in made.values():
        client.close()


@pytest.mark.parametrize(
    ("system", "method", "given"),
    [
        ("erp", "create_invoice", {**INVOICE, "tax_ratee": "19"}),
        ("erp", "create_credit_note", {**CREDIT, "curency": "EUR"}),
        ("erp", "create_customer", {"name": "Helios", "emial": "a@b.example"}),
        ("erp", "record_stock_movement", {"sr_number": "SR-1", "serial": "SN001"}),
        ("erp", "draw_consumable", {"execution": "1", "item": "CLEANER"}),
        ("qms", "create_nc_report", {**NC, "sevrity": "Major"}),
        ("qms", "create_capa", {"title": "T", "root_causes": "solder"}),
        ("lims", "create_sample", {"external_id": "SN001", "custmer": "Helios"}),
        ("pm", "create_task", {"title": "T", "asignee": "a@b.example"}),
    ],
)
def test_a_misspelt_argument_is_a_type_error(
    clients: dict[str, Any], system: str, method: str, given: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        getattr(clients[system], method)(**given)


@pytest.mark.parametrize(
    ("system", "method", "given", "named"),
    [
        ("erp", "create_invoices", {**INVOICE, "line_items": [{**LINE, "discount": "5"}]}, "line_items.1.discount"),
        (
            "erp",
            "create_invoices",
            {**INVOICE, "tax_ratee": "19"},
            "tax_ratee: unknown field, which nothing would carry; ",
        ),
        (
            "erp",
            "record_stock_movements",
            {"sr_number": "S", "serial_number": "N", "movement": "STORED", "at": "x"},
            "at",
        ),
        ("erp", "draw_consumables", {"execution_id": "1", "item": "C", "quantity": 1, "units": "l"}, "units"),
        (
            "qms",
            "create_nc_reports",
            {**NC, "root_cause_analysis": {**NC["root_cause_analysis"], "five_whys": ["why"]}},
            "root_cause_analysis.five_whys",
        ),
        ("qms", "create_nc_reports", {**NC, "sevrity": "Major"}, "sevrity"),
        ("qms", "create_capas", {"title": "T", "root_causes": "solder"}, "root_causes"),
        ("qms", "log_audit_events", {"user": "ada", "actoin": "x"}, "actoin"),
        ("lims", "create_samples", {"external_id": "SN001", "custmer": "Helios"}, "custmer"),
        ("lims", "upload_result_sets", {**RESULT, "opreator": "Ada", "results": [MEASURED]}, "opreator"),
        ("lims", "upload_result_sets", {**RESULT, "results": [{**MEASURED, "method": "A"}]}, "results[0].method"),
        ("lims", "update_sample_statuses", {"sample_id": "LIM-1", "status": "Received", "note": "x"}, "note"),
        ("pm", "create_tasks", {"project_id": "P", "title": "T", "asignee": "a@b.example"}, "asignee"),
        ("pm", "create_subtasks", {"parent_task_id": "T-1", "title": "A: B", "hours": 3}, "hours"),
        ("pm", "update_tasks", {"task_id": "T-1", "status": "OPEN", "note": "x"}, "note"),
        (
            "pm",
            "log_time_entries",
            {"task_id": "T-1", "user": "a", "date": "2025-11-12", "hours": 1, "text": "x"},
            "text",
        ),
        ("pm", "log_resource_usages", {"task_id": "T-1", "resource_id": "R", "usage_hours": 1, "hour": 2}, "hour"),
    ],
)
def test_a_field_that_nothing_carries_is_refused_by_its_name(
    clients: dict[str, Any], lab: Lab, system: str, method: str, given: dict[str, Any], named: str
) -> None:
    before = len(lab.requests(system))
    (outcome,) = getattr(clients[system], method)([given]).outcomes
    assert (outcome.result.value, outcome.code) == ("quarantined", "FIELD_UNKNOWN")
    assert outcome.reason.startswith(named)
    assert len(lab.requests(system)) == before


@pytest.mark.parametrize(
    ("factors", "kept"),
    [
        ({"temperature": "29.1 °C", "humidity": 61}, ["temperature: 29.1 °C", "humidity: 61"]),
        (["hot", "humid"], ["hot", "humid"]),
        ("hot", ["hot"]),
        (61, ["61"]),
    ],
)
def test_contributing_factors_keep_their_values(
    clients: dict[str, Any], lab: Lab, factors: Any, kept: list[str]
) -> None:
    causes = {"immediate_cause": "Pmax: 371 W", "contributing_factors": factors}
    nc = clients["qms"].create_nc_report(**{**NC, "root_cause_analysis": causes}, external_id=str(kept))
    (row,) = lab.rows("qms", "SELECT body FROM nc_reports WHERE external_id = ?", str(kept))
    assert nc["nc_id"]
    assert json.loads(row["body"])["root_cause_analysis"]["contributing_factors"] == kept


@pytest.mark.parametrize(
    ("system", "method", "given", "missing"),
    [
        ("lims", "create_sample", {"external_id": "SN9", "project_id": "SR-9"}, "customer"),
        ("lims", "create_sample", {"external_id": "SN9", "customer": "Helios"}, "project_id"),
        ("lims", "update_sample_status", {"sample_id": "LIM-000001", "status": ""}, "status"),
        ("qms", "create_nc_report", {**NC, "detection_date": None}, "detection_date"),
        ("qms", "create_nc_report", {**NC, "root_cause_analysis": {}}, "root_cause_analysis.immediate_cause"),
        ("erp", "create_invoice", {**INVOICE, "reference": ""}, "reference"),
    ],
)
def test_a_missing_argument_is_named_as_the_guide_calls_it(
    clients: dict[str, Any], system: str, method: str, given: dict[str, Any], missing: str
) -> None:
    for _ in range(2):
        with pytest.raises(MappingError) as caught:
            getattr(clients[system], method)(**given)
        assert caught.value.message == f"Missing field: {missing}"


def test_a_missing_part_of_a_list_is_named_as_the_guide_calls_it(clients: dict[str, Any]) -> None:
    wrong = {**RESULT, "operator": "Ada", "results": [MEASURED, {"value": 1, "unit": "V", "status": "PASS"}]}
    (outcome,) = clients["lims"].upload_result_sets([wrong]).outcomes
    assert outcome.reason == "results[1]: Missing field: analyte"
