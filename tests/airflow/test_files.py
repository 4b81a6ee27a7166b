"""The operators for files: imports from a watched folder, exports, and certificates from the request to the file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

import sandbox
from demo.laboratory import connections
from hooks.ledger import LedgerHook
from hooks.lims import LIMSHook
from operators.files import (
    ExportResultsOperator,
    FileCertificatesOperator,
    ImportFilesOperator,
    RequestCertificatesOperator,
)
from pv_testing.core.errors import ConfigError, DataError
from pv_testing.importers.keeping import imported
from sandbox import Lab, SeedPlan
from sensors.certificates import WaitForCertificates
from tests.airflow.home import connect
from tests.airflow.stores import with_imports
from triggers.certificates import CertificateTrigger

CONTEXT = {"ti": SimpleNamespace(dag_id="pv_files", run_id="run-1", task_id="step", map_index=-1, try_number=1)}


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    with sandbox.serve(seed_plan=SeedPlan(requests=1, modules=2)) as running:
        (tmp_path / "store" / "in").mkdir(parents=True)
        connect(monkeypatch, with_imports(connections(running), tmp_path, str(tmp_path / "store")))
        yield running


def drop(tmp_path: Path, text: str, name: str = "a.csv") -> None:
    (tmp_path / "store" / "in" / name).write_text(text)


def run_import() -> list[dict]:
    return ImportFilesOperator(task_id="import", system="lims").execute(CONTEXT)


def test_rows_are_imported_and_a_step_reads_them(lab, tmp_path) -> None:
    drop(tmp_path, "SN,V\nSN1,1.50\nSN2,x\n")
    (report,) = run_import()
    assert report["rows"] == {"created": 1, "quarantined": 1}
    assert Path(report["rejected"]).exists()
    with LedgerHook().get_conn() as ledger:
        assert dict(imported(ledger, "lims", "results")) == {"SN1": {"serial_number": "SN1", "value": "1.50"}}
    assert run_import() == []


def test_a_file_that_is_refused_makes_the_task_red(lab, tmp_path) -> None:
    drop(tmp_path, "SN;V\nSN1;1\n")
    with pytest.raises(DataError, match="is the delimiter right"):
        run_import()


def test_a_contract_without_imports_skips_the_task(lab) -> None:
    with pytest.raises(AirflowSkipException, match="imports nothing"):
        ImportFilesOperator(task_id="import", system="erp").execute(CONTEXT)


def test_results_are_exported_in_every_format(lab, tmp_path) -> None:
    operator = ExportResultsOperator(
        task_id="export", service_requests=[1], folder=str(tmp_path / "out"), formats=["csv", "json", "excel", "xml"]
    )
    written = [Path(path) for path in operator.execute(CONTEXT)]
    assert [path.suffix for path in written] == [".csv", ".json", ".xlsx", ".xml"]
    assert all(path.stat().st_size for path in written)
    operator.formats = ["docx"]
    with pytest.raises(ConfigError, match="no format 'docx'"):
        operator.execute(CONTEXT)


def fire(trigger: CertificateTrigger) -> dict:
    async def first():
        async for event in trigger.run():
            return dict(event.payload)
        raise AssertionError("the trigger ended without an event")

    return asyncio.run(asyncio.wait_for(first(), 20))


def test_certificates_are_asked_for_once_awaited_and_filed(lab: Lab, tmp_path) -> None:
    number = lab.rows("framework", "SELECT sr_number FROM service_requests")[0]["sr_number"]
    with LIMSHook().get_client(owner="test") as lims:
        given = [{"external_id": f"SN{each}", "project_id": number, "customer": "Helios"} for each in range(2)]
        ids = [outcome.external_id for outcome in lims.create_samples(given).outcomes]
        lab.receive()
        for status in ("In Testing", "Testing Complete", "Approved"):
            for sample_id in ids:
                lims.update_sample_status(sample_id=sample_id, status=status)
    asked = RequestCertificatesOperator(task_id="request", service_request=number).execute(CONTEXT)
    again = RequestCertificatesOperator(task_id="request", service_request=number).execute(CONTEXT)
    assert asked == again
    assert len({certificate for *_, certificate in asked}) == 2
    WaitForCertificates(task_id="wait", certificates=asked).execute(CONTEXT)
    (first, second) = FileCertificatesOperator(task_id="file", certificates=asked).execute(CONTEXT)
    folder = tmp_path / "store" / "certificates"
    assert sorted(path.name for path in folder.iterdir()) == sorted([first, second])
    assert (folder / first).read_bytes().startswith(b"%PDF")
    with pytest.raises(AirflowSkipException, match="no certificate is to be filed"):
        RequestCertificatesOperator(task_id="request", service_request=number).execute(CONTEXT)
    with LedgerHook().get_conn() as ledger:
        assert [event.action for event in ledger.events()].count("certificate") == 2
        ledger.verify()


def test_the_trigger_crosses_a_process_and_tells_what_it_saw(lab: Lab) -> None:
    trigger = CertificateTrigger(["COA-000099"], "pv_lims", 0.05)
    path, arguments = trigger.serialize()
    assert path == "triggers.certificates.CertificateTrigger"
    assert fire(CertificateTrigger(**arguments))["done"] is False
    assert fire(CertificateTrigger([], "pv_lims", 0.05)) == {"done": True}


def test_the_trigger_leaves_the_lims_alone_for_as_long_as_it_asks(lab: Lab) -> None:
    lab.set_faults("lims", [{"route": "GET *", "kind": "error", "status": 429, "retry_after": 3600}])

    async def pause() -> float:
        async with await LIMSHook().aget_client() as lims:
            return await CertificateTrigger(["COA-1"], "pv_lims", 0.05)._look(lims)

    assert asyncio.run(pause()) > 3_000


def test_the_sensor_defers_what_takes_long(lab: Lab, monkeypatch) -> None:
    async def never(*_):
        return ["COA-1"]

    monkeypatch.setattr("pv_testing.samples.certificates.unfinished", never)
    with pytest.raises(TaskDeferred) as caught:
        WaitForCertificates(task_id="wait", certificates=[["k", "1", "COA-1"]], inline_seconds=0).execute(CONTEXT)
    assert caught.value.trigger.certificates == ["COA-1"]
