"""Writes the test results of a service request as files, for systems that read files or for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pv_testing.core.errors import ConfigError
from pv_testing.core.problems import allowed
from pv_testing.core.reasons import Reason
from pv_testing.core.sync import run
from pv_testing.domain.status import COMPLETE
from pv_testing.exporters.chart_data import curves, stresses
from pv_testing.exporters.charts import drawing
from pv_testing.exporters.contents import RAW, content
from pv_testing.exporters.exported import CountedTable, ExportedTable, quantities
from pv_testing.exporters.files import file_name
from pv_testing.exporters.lims_xml import ELEMENTS, write_lims_v2
from pv_testing.exporters.reading import Dossier, read
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.transports.files.csv_writer import write_csv
from pv_testing.transports.files.excel_writer import write_workbook
from pv_testing.transports.files.json_writer import write_json
from pv_testing.transports.files.whole import written_whole

SHEETS = {"Summary": "summary_data", "Measurements": "measurement_data", "QC Results": "qc_data"}
SCHEMAS = {"lims_v2": write_lims_v2}


class DataExporter:
    """Writes the test results of a service request into files, each of which appears whole or not at all.

    Rows are written as they are read, so that memory doesn't grow with them.

    Args:
        framework: the client that reads the tests; without it, one of the configuration file.

    Attributes:
        exported: the tables of the files that the last call has written.

    Example:
        >>> DataExporter().export_csv(123, "/exports")  # doctest: +SKIP
        PosixPath('/exports/SR-2025-0123_results.csv')
    """

    def __init__(self, framework: FrameworkClient | None = None) -> None:
        self._framework = framework
        self.exported: list[ExportedTable] = []

    def export_csv(self, sr_id: int | str, output_path: str | Path, include_raw_data: bool = False) -> Path:  # noqa: FBT001, FBT002 - the guide's signature
        """Write every measurement as CSV (RFC 4180, UTF-8), one in each row.

        Args:
            sr_id: the framework's id of the service request, or its number.
            output_path: the file; within a folder it is named by the service request's number.
            include_raw_data: write the points of curves and time series into a second file, whose name ends in
                ``_raw.csv``.

        Returns:
            The file.

        Raises:
            DataError: there is no such request.
            ConfigError: the file can't be written.
        """
        with self._read(sr_id, raw=include_raw_data) as dossier:
            target = _target(output_path, dossier, ".csv")
            tables = {target: "measurement_data"}
            if include_raw_data:
                tables = {target.with_name(f"{target.stem}_raw.csv"): RAW, **tables}
            for path, name in tables.items():
                table = CountedTable.of(content(name, dossier))
                with written_whole(path) as file:
                    write_csv(file, *table, about=path.name)
                self._note(dossier, {name: table}, path)
        return target

    def export_json(self, sr_id: int | str, output_path: str | Path, *, include_raw_data: bool = False) -> Path:
        """Write a JSON object with lists of objects: ``summary_data``, ``measurement_data``, ``qc_data``.

        Args:
            sr_id: the framework's id of the service request, or its number.
            output_path: the file; within a folder it is named by the service request's number.
            include_raw_data: write the points of curves and time series as well, as ``raw_data``.

        Returns:
            The file.

        Raises:
            DataError: there is no such request.
            ConfigError: the file can't be written.
        """
        names = [*SHEETS.values(), *([RAW] if include_raw_data else [])]
        with self._read(sr_id, raw=include_raw_data) as dossier:
            target = _target(output_path, dossier, ".json")
            tables = {name: CountedTable.of(content(name, dossier)) for name in names}
            with written_whole(target) as file:
                write_json(file, tables, about=target.name)
            self._note(dossier, tables, target)
        return target

    def export_excel(
        self,
        sr_id: int | str,
        output_path: str | Path,
        sheets: Mapping[str, str] | None = None,
        *,
        charts: bool = False,
    ) -> Path:
        """Write an Excel workbook.

        Args:
            sr_id: the framework's id of the service request, or its number.
            output_path: the file; within a folder it is named by the service request's number.
            sheets: the name of each sheet, and its table: ``summary_data``, ``measurement_data``, ``result_data``,
                ``qc_data``, ``execution_data`` or ``raw_data``; without it, the first, the second and ``qc_data``.
            charts: add a first sheet with I-V curves, the power before and after each stress and the degradation of
                each module with its limit, as far as these were measured.

        Returns:
            The file.

        Raises:
            DataError: there is no such request, or a table is too large for Excel.
            ConfigError: there is no such table, no sheet can be called so, or the file can't be written.
        """
        wanted = SHEETS if sheets is None else sheets
        with self._read(sr_id, raw=charts or RAW in wanted.values()) as dossier:
            tables = {name: CountedTable.of(content(source, dossier)) for name, source in wanted.items()}
            draw = drawing(curves(dossier), stresses(dossier)) if charts else None
            target = _target(output_path, dossier, ".xlsx")
            with written_whole(target) as file:
                write_workbook(file, tables, draw=draw, about=target.name)
            self._note(dossier, {wanted[name]: table for name, table in tables.items()}, target)
        return target

    def export_xml(
        self, sr_id: int | str, output_path: str | Path, schema: str = "lims_v2", *, include_raw_data: bool = False
    ) -> Path:
        """Write XML that is valid against a schema of the project.

        Args:
            sr_id: the framework's id of the service request, or its number.
            output_path: the file; within a folder it is named by the service request's number.
            schema: ``lims_v2``, which is ``include/schemas/lims_v2.xsd``.
            include_raw_data: write the points of curves and time series as well.

        Returns:
            The file.

        Raises:
            DataError: there is no such request, or the schema can't hold its results.
            ConfigError: there is no such schema, or the file can't be written.
        """
        if schema not in SCHEMAS:
            raise ConfigError(f"there is no schema {schema!r}; {allowed(schema, list(SCHEMAS))}", code=Reason.NO_SCHEMA)
        with self._read(sr_id, raw=include_raw_data) as dossier:
            target = _target(output_path, dossier, ".xml")
            with written_whole(target) as file:
                SCHEMAS[schema](file, dossier)
            results = sum(len(each.measurements) for each in dossier.executions if each.status == COMPLETE)
            size = target.stat().st_size
            self.exported = [ExportedTable(schema, ELEMENTS, results, quantities(schema, dossier), size)]
        return target

    def _note(self, dossier: Dossier, tables: Mapping[str, CountedTable], path: Path) -> None:
        """Keep what a file has of which tables."""
        size = path.stat().st_size if len(tables) == 1 else None
        for name, (columns, rows) in tables.items():
            self.exported.append(ExportedTable(name, columns, rows.number, quantities(name, dossier), size))

    @contextmanager
    def _read(self, sr_id: int | str, *, raw: bool) -> Iterator[Dossier]:
        """Give what was tested, as long as its raw data is to be read; forget what an earlier call has written."""
        self.exported = []
        if self._framework is not None:
            yield run(read(self._framework, sr_id, raw=raw))
            return
        with FrameworkClient() as framework:
            yield run(read(framework, sr_id, raw=raw))


def _target(output_path: str | Path, dossier: Dossier, ending: str) -> Path:
    path = Path(output_path)
    return path / f"{file_name(dossier.request.sr_number)}_results{ending}" if path.is_dir() else path
