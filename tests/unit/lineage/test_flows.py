"""What a task has carried is told in names and numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from pv_testing.contracts import load_contract
from pv_testing.core.errors import ConfigError
from pv_testing.core.records import Outcome, Result
from pv_testing.exchange.report import Report
from pv_testing.exporters.tables import csv, table
from pv_testing.lineage import Flow, flows_of
from pv_testing.lineage.exports import export_flow

LIMS, PM = load_contract("lims_custom"), load_contract("pm_custom")
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


def test_an_export_is_read_off_its_header_and_no_value_is_kept(tmp_path: Path) -> None:
    columns = "sr_number execution_id protocol_id protocol_name serial_number completed_at operator"
    header = f"{columns} parameter value unit uncertainty qc_status".split()
    rows = [{"parameter": name, "value": 371.25, "unit": "W"} for name in ("Pmax", "Pmax", "Voc")]
    path = tmp_path / "SR-1_results.csv"
    path.write_bytes(csv(table(header, rows)))
    flow = export_flow(path)
    assert (flow.dataset, flow.written, flow.size) == ("files/exports/measurement_data", 3, path.stat().st_size)
    assert [column.name for column in flow.columns] == [*header, "Pmax", "Voc"]
    assert flow.read()["framework/executions"][-2:] == ["measurements.Pmax", "measurements.Voc"]
    assert "371.25" not in repr(flow)


def test_a_file_that_is_no_export_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="no table that is exported"):
        export_flow(path)
