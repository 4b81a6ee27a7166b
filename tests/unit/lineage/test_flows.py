"""What a task has carried is told in names and numbers."""

from __future__ import annotations

import pytest

from pv_testing.contracts import load_contract
from pv_testing.contracts.fields import Shared
from pv_testing.contracts.imports import compile_imports
from pv_testing.core.records import Outcome, Result
from pv_testing.domain.datasets import FINDINGS
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.exchange.report import Report
from pv_testing.exporters.contents import CONTENTS
from pv_testing.exporters.exported import ExportedTable
from pv_testing.exporters.lims_xml import ELEMENTS
from pv_testing.lineage import ColumnSource, Flow, flows_of
from pv_testing.lineage.columns import COMPUTED
from pv_testing.lineage.deliveries import deliveries_flow
from pv_testing.lineage.exports import TABLES, export_flows
from pv_testing.lineage.findings import DECIDED_BY, DRAWN, findings_flow
from pv_testing.lineage.imports import import_flow

LIMS, PM, QMS = load_contract("lims_custom"), load_contract("pm_custom"), load_contract("qms_custom")
READS = {"framework/service_requests", "framework/protocols", "pm/tasks"}


def report(operation: str, system: str, *outcomes: Outcome, dry_run: bool = False) -> Report:
    made = Report(operation, system, dry_run=dry_run)
    made.add(outcomes)
    return made


def test_records_are_counted_by_what_became_of_them() -> None:
    (flow,) = flows_of(
        [
            report(
                *("create_sample", "lims"),
                Outcome("a", Result.CREATED),
                Outcome("b", Result.UNCHANGED),
                Outcome("c", Result.QUARANTINED, code="SERIAL_DUPLICATE"),
                Outcome("d", Result.REJECTED, code="name 'Helios' is too long"),
                Outcome("e", Result.DEFERRED),
            )
        ],
        {"lims": LIMS},
        READS,
    )
    assert (flow.dataset, flow.written, flow.in_effect, flow.waiting) == ("lims/samples", 1, 2, 3)
    assert flow.reasons == {"SERIAL_DUPLICATE": 1, "OTHER": 1, "UNNAMED": 1}
    assert flow.contracts == ("lims_custom",)


def test_a_dry_run_writes_nothing() -> None:
    (flow,) = flows_of(
        [report("create_sample", "lims", Outcome("a", Result.CREATED), dry_run=True)], {"lims": LIMS}, READS
    )
    assert (flow.written, flow.in_effect) == (0, 1)


def test_two_operations_on_one_dataset_are_one_flow() -> None:
    (flow,) = flows_of(
        [
            report("create_task", "pm", Outcome("a", Result.CREATED)),
            report("create_subtask", "pm", Outcome("b", Result.CREATED), Outcome("c", Result.REJECTED, code="X")),
        ],
        {"pm": PM},
        READS,
    )
    assert (flow.dataset, flow.written, flow.reasons) == ("pm/tasks", 2, {"X": 1})
    columns = {column.name: column for column in flow.columns}
    assert {"start_date", "parent_task_id", "estimated_hours"} <= set(columns)
    assert len(columns) == len(flow.columns)
    assert {each.column for each in columns["title"].sources} == {"sr_number", "protocols", "name"}


def test_only_datasets_that_the_task_reads_are_sources() -> None:
    made = [report("create_sample", "lims", Outcome("a", Result.CREATED))]
    (flow,) = flows_of(made, {"lims": LIMS}, ())
    assert flow.columns
    assert flow.read() == {}
    (flow,) = flows_of(made, {"lims": LIMS}, READS)
    assert "modules.serial_number" in flow.read()["framework/service_requests"]


def test_an_operation_that_the_contract_lacks_goes_to_a_dataset_of_its_own() -> None:
    (flow,) = flows_of([report("calibrate", "lims", Outcome("a", Result.CREATED))], {"lims": LIMS}, READS)
    assert flow == Flow("lims/calibrate", (), ("lims_custom",), 1, 1, {})


def test_a_task_that_exports_twice_has_one_flow_for_each_table() -> None:
    table = ExportedTable("measurement_data", ("sr_number", "value"), 3, {"Pmax": "Pmax"}, 100)
    (flow,) = export_flows([table, table._replace(rows=4, quantities={"Voc": "Voc"}, size=50)])
    assert (flow.dataset, flow.written, flow.in_effect, flow.size) == ("files/exports/measurement_data", 7, 7, 150)
    assert [column.name for column in flow.columns] == ["sr_number", "value", "Pmax", "Voc"]
    assert flow.read()["framework/executions"] == ["measurements.value", "measurements.Pmax", "measurements.Voc"]


def columns_of(table: str) -> list[str]:
    return CONTENTS[table][0].split()


@pytest.mark.parametrize("table", sorted(TABLES))
def test_each_column_of_an_export_comes_from_columns_that_there_are(table: str) -> None:
    columns = {"lims_v2": list(ELEMENTS), "result_data": list(TABLES["result_data"])}.get(table) or columns_of(table)
    (flow,) = export_flows([ExportedTable(table, columns, 1, {})])
    known = {
        "framework/service_requests": set(ServiceRequest.__slots__),
        "framework/executions": {*Execution.__slots__, "curves"},
        "framework/protocols": {"name"},
    }
    without = {column.name for column in flow.columns if not column.sources}
    assert without <= {"field", "*"}
    for dataset, names in flow.read().items():
        assert {name.partition(".")[0] for name in names if name != "*"} <= known[dataset]


def test_a_finding_is_made_of_what_the_task_has_read() -> None:
    flow = findings_flow(2, {"framework/executions"})
    assert (flow.dataset, flow.written, flow.in_effect) == ("ledger/findings", 2, 2)
    assert set(flow.read()) == {"framework/executions"}
    assert findings_flow(2, (), dry_run=True).written == 0
    (capa,) = [column for column in flow.columns if column.name == "protocol_id"]
    assert [(source.column, source.subtype) for source in capa.sources] == [("protocol_id", "IDENTITY")]


def test_deliveries_are_counted_by_what_became_of_them() -> None:
    flow = deliveries_flow(5, 2, 0)
    assert (flow.written, flow.waiting, flow.reasons) == (5, 2, {"failed": 2})
    assert flow.read() == {"ledger/events": ["name", "at", "data"]}


def test_rows_of_a_file_come_from_its_columns_wherever_they_go() -> None:
    fields = {"serial_number": "SN", "customer_name": {"to": "KUNDE"}, "sr_number": "SR"}
    section = {"folder": "in", "pattern": "*.csv", "format": "csv", "map": "row", "key": "{serial_number}"}
    counts = {"created": 2, "unchanged": 1, "quarantined": 3}

    def flow(**more: object) -> Flow:
        written = {"system": "lims", "maps": {"row": fields}, "imports": {"x": {**section, **more}}}
        return import_flow(compile_imports(written, Shared())["x"], counts, LIMS)

    kept = flow()
    assert (kept.dataset, kept.written, kept.in_effect, kept.reasons) == (
        *("ledger/imported_rows", 2, 3),
        {"quarantined": 3},
    )
    assert kept.read() == {"files/dropped": ["SN", "KUNDE", "SR"]}
    carried = flow(carry={"operation": "create_sample"})
    assert carried.dataset == "lims/samples"
    (column,) = [each for each in carried.columns if each.name == "external_id"]
    assert [(source.dataset, source.column) for source in column.sources] == [("files/dropped", "SN")]


def from_findings(kind: str) -> dict[str, list[ColumnSource]]:
    """Return the columns of a kind of record of the QMS that come from findings, with their sources there."""
    operation = next(each for each in QMS.operations.values() if each.kind == kind)
    (flow,) = flows_of([report(operation.name, "qms", Outcome("a", Result.CREATED))], {"qms": QMS}, {FINDINGS})
    return {column.name: list(column.sources) for column in flow.columns if column.sources}


@pytest.mark.parametrize("kind", ["capa", "attachment"])
def test_what_a_finding_gives_to_the_qms_is_in_the_finding(kind: str) -> None:
    kept = {column.name for column in findings_flow(1, ()).columns} | {DECIDED_BY}
    used = {source.column for sources in from_findings(kind).values() for source in sources}
    assert used
    assert used <= kept


def test_a_capa_is_raised_as_it_was_found_and_approved() -> None:
    found = from_findings("capa")
    columns = {name: each.column for name, (each,) in found.items()}
    assert columns.pop("external_id") == "capa_key"
    assert {"title", "problem_statement", "corrective_action", "related_ncs", "approved_by"} <= set(columns)
    assert columns == {name: name for name in columns}
    assert not [each for (each,) in found.values() if each.description.startswith(COMPUTED)]


def test_the_files_of_a_capa_are_drawn_from_the_executions_and_numbers_of_its_finding() -> None:
    found = from_findings("attachment")
    assert set(found) == {"content", "sha256"}
    assert {each.column for each in found["content"]} == set(DRAWN)
    assert {each.column for each in found["sha256"]} == set(DRAWN)
    assert {each.subtype for each in found["content"]} == {"TRANSFORMATION"}
