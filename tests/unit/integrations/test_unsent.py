"""What a caller of a client says is sent, or dropped by the contract in so many words, or refused by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sandbox
from pv_testing.core.errors import IntegrationError, MappingError
from pv_testing.core.places import contract_path
from pv_testing.core.records import Record
from pv_testing.integrations import ERPClient, LIMSClient, PMClient, QMSClient
from pv_testing.ledger import Ledger
from sandbox import Lab
from tests import yaml_text

Maps = dict[str, dict[str, Any]]
SAMPLE = {"external_id": "SN1", "project_id": "SR-UNSENT", "customer": "Helios"}
MEASURED = {"analyte": "Pmax", "value": 398.5, "unit": "W", "status": "PASS", "uncertainty": 0.2}
RESULT = {"test_id": "PVTP-001", "test_name": "STC", "test_date": "2025-11-13T15:30:00Z", "operator": "Ada"}
ADDRESS = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with sandbox.serve() as served:
        yield served


@pytest.fixture
def lims_of(lab: Lab, tmp_path: Path) -> Iterator[Callable[..., LIMSClient]]:
    """Give what opens a client with a contract whose maps a test changes."""
    opened: list[LIMSClient] = []

    def open_client(change: Callable[[Maps], object]) -> LIMSClient:
        content = yaml_text.read(contract_path("lims_custom"))
        change(content["maps"])
        path = tmp_path / f"lims_{len(opened)}.yaml"
        path.write_text(yaml_text.dump(content, sort_keys=False), encoding="utf-8")
        ledger = Ledger.in_memory(quiet=True)
        opened.append(LIMSClient(lab.lims_url, contract=str(path), api_key=lab.credentials.lims_api_key, ledger=ledger))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()


def parts_of_the_module(maps: Maps) -> None:
    del maps["sample"]["module"]
    maps["sample"]["manufacturer"] = {"to": "metadata.manufacturer", "required": False}


def few_of_results(maps: Maps) -> None:
    for ours in ("completed_at", "operator_name"):
        del maps["result_set"][ours]
    del maps["measurement"]["uncertainty"]


@pytest.mark.parametrize(
    ("change", "call", "named", "drop"),
    [
        (
            parts_of_the_module,
            lambda lims: lims.create_sample(**SAMPLE, metadata={"manufacturer": "AST", "color": "black"}),
            "metadata.color: map sample of the contract lims_0 sends nothing of it",
            "`color: {drop: true}`",
        ),
        (
            lambda maps: maps["status"].pop("notes"),
            lambda lims: lims.update_sample_status("LIM-000001", "Received", notes="by lorry"),
            "notes: map status of the contract lims_0 sends nothing of it",
            "`notes: {drop: true}`",
        ),
        (
            few_of_results,
            lambda lims: lims.upload_results("LIM-000001", {**RESULT, "execution_id": "1", "results": [MEASURED]}),
            "test_date, operator, results.uncertainty: map result_set of the contract ",
            "`completed_at: {drop: true}`",
        ),
        (
            lambda maps: maps["measurement"].pop("uncertainty"),
            lambda lims: lims.upload_results("LIM-000001", {**RESULT, "execution_id": "1", "results": [MEASURED]}),
            "results.uncertainty: map measurement of the contract ",
            "`uncertainty: {drop: true}`",
        ),
        (
            lambda maps: maps["sample"].update(sample_type={"to": "sample_type", "const": "PV Module"}),
            lambda lims: lims.create_sample(**SAMPLE, sample_type="Mini module"),
            "sample_type: map sample of the contract ",
            "`sample_type: {drop: true}`",
        ),
    ],
)
def test_what_the_contract_s_map_does_not_send_is_refused_by_its_name(
    lims_of: Callable[..., LIMSClient], lab: Lab, change: Any, call: Any, named: str, drop: str
) -> None:
    before = len(lab.requests("lims"))
    lims = lims_of(change)
    with pytest.raises(MappingError) as refused:
        call(lims)
    assert refused.value.code == "FIELD_UNKNOWN"
    assert refused.value.message.startswith(named)
    assert drop in refused.value.message
    assert len(lab.requests("lims")) == before
    (waiting,) = lims.ledger.waiting()
    assert (waiting.code, waiting.state.value) == ("FIELD_UNKNOWN", "quarantined")


def test_what_the_map_drops_is_not_refused(lims_of: Callable[..., LIMSClient]) -> None:
    def change(maps: Maps) -> None:
        parts_of_the_module(maps)
        maps["sample"]["color"] = {"drop": True}
        maps["measurement"]["uncertainty"] = {"drop": True}

    lims = lims_of(change)
    made = lims.create_sample(**SAMPLE, metadata={"manufacturer": "AST", "color": "black"})
    assert made["metadata"] == {"manufacturer": "AST"}
    done = lims.upload_results(made["id"], {**RESULT, "execution_id": "drops", "results": [MEASURED]})
    assert done["revision"] == 1


def test_what_is_empty_or_said_by_the_method_itself_is_not_said(lims_of: Callable[..., LIMSClient]) -> None:
    def change(maps: Maps) -> None:
        del maps["status"]["notes"], maps["sample"]["module"], maps["measurement"]["uncertainty"]
        maps["sample"]["sample_type"] = {"to": "sample_type", "const": "Module"}

    lims = lims_of(change)
    made = lims.create_sample("SN2", project_id="SR-UNSENT", customer="Helios", metadata={"color": ""})
    results = [{**MEASURED, "uncertainty": None}]
    assert lims.upload_results(made["id"], {**RESULT, "execution_id": "empty", "results": results})["revision"] == 1
    assert lims.update_sample_status(made["id"], "Received", notes="")["id"] == made["id"]


def test_a_unit_that_no_quantity_needs_is_refused(lims_of: Callable[..., LIMSClient]) -> None:
    def change(maps: Maps) -> None:
        del maps["measurement"]["unit"]

    given = {**RESULT, "execution_id": "unit", "results": [{**MEASURED, "analyte": "Haze", "unit": "%"}]}
    with pytest.raises(MappingError, match=r"results.unit: map measurement of the contract "):
        lims_of(change).upload_results("LIM-000001", given)


def test_records_of_the_project_may_have_more_than_a_product_takes(lims_of: Callable[..., LIMSClient]) -> None:
    data = {"sr_number": "SR-UNSENT", "serial_number": "SN3", "customer_name": "Helios", "protocols": ["PVTP-001"]}
    report = lims_of(parts_of_the_module).exchange("create_sample", [Record("SR-UNSENT/SN3", {**data, "color": "red"})])
    assert report.counts()["created"] == 1


KNOWN: dict[str, Any] = {"api_key": "k", "auth_type": "api_key"}
HOURS = {"execution_id": "1", "task_id": "1", "user": "a@b.example", "date": "2025-11-12", "hours": 1}
EVENT = {
    "event_key": "E-1",
    "timestamp": "2025-11-12T00:00:00Z",
    "user": "ada",
    "action": "x",
    "resource_type": "t",
    "resource_id": 1,
}
LINE = {"description": "d", "quantity": 1, "unit_price": "2", "protocol_id": "P"}
INVOICE = {"reference": "R", "customer_id": "1", "invoice_date": "2026-04-01", "due_date": "2026-05-01"}


@pytest.mark.parametrize(
    ("kind", "contract", "method", "given", "named"),
    [
        (PMClient, "pm_custom", "update_tasks", {"task_id": "1", "status": "OPEN", "notes": "n"}, "notes"),
        (PMClient, "pm_custom", "log_time_entries", {**HOURS, "description": "d"}, "description"),
        (QMSClient, "qms_custom", "log_audit_events", {**EVENT, "changes": {"qc": ["a", "b"]}}, "changes.qc"),
        (
            ERPClient,
            "erp_custom",
            "create_invoices",
            {**INVOICE, "notes": "n", "line_items": [LINE]},
            "notes, line_items.protocol_id",
        ),
    ],
)
def test_the_other_clients_refuse_it_too(
    tmp_path: Path, kind: Any, contract: str, method: str, given: dict[str, Any], named: str
) -> None:
    content = yaml_text.read(contract_path(contract))
    for name, fields in content["maps"].items():
        for ours in {"notes", "changes", "protocol_id"} | ({"description"} if name == "time_entry" else set()):
            fields.pop(ours, None)
    path = tmp_path / f"{contract}.yaml"
    path.write_text(yaml_text.dump(content, sort_keys=False), encoding="utf-8")
    with kind(ADDRESS, contract=str(path), ledger=Ledger.in_memory(quiet=True), **KNOWN) as client:
        (outcome,) = getattr(client, method)([given]).outcomes
    assert outcome.code == "FIELD_UNKNOWN"
    assert outcome.reason.startswith(f"{named}: map ")


@pytest.mark.parametrize(
    ("kind", "contract", "call"),
    [
        (LIMSClient, "lims_senaite", lambda c: c.create_sample(**SAMPLE, metadata={"manufacturer": "AST"})),
        (PMClient, "pm_redmine", lambda c: c.update_task("1", "COMPLETE", "2025-11-12", actual_hours=2, notes="n")),
        (PMClient, "pm_redmine", lambda c: c.update_project_progress("P", 50, task_id="1", external_id="SR-1")),
        (PMClient, "pm_custom", lambda c: c.update_project_progress("P", 50, task_id="1")),
    ],
)
def test_what_the_guide_s_methods_say_is_sent_or_dropped_by_the_shipped_contracts(
    kind: Any, contract: str, call: Any
) -> None:
    ledger = Ledger.in_memory(quiet=True)
    with kind(ADDRESS, contract=contract, ledger=ledger, **KNOWN) as client, pytest.raises(IntegrationError) as refused:
        call(client)  # nothing answers at this address
    assert refused.value.code != "FIELD_UNKNOWN"
