"""Files for others and of others: exports, imports from watched folders, certificates that are filed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from operators.exchange import hook_of, open_clients, owner_of, truth
from operators.lineage import LineageMixin, keep_flows
from operators.retry_policy import with_retries
from pv_testing.core.reasons import Reason

if TYPE_CHECKING:
    from airflow.sdk import Context

    from pv_testing.contracts.imports import FileImport
    from pv_testing.contracts.model import Contract
    from pv_testing.importers import FileReport
    from pv_testing.importers.importer import Carry
    from pv_testing.integrations import LIMSClient
    from pv_testing.integrations.client import SystemClient
    from pv_testing.lineage import Flow
    from pv_testing.transports.files.store import FileStore

FORMATS = ("csv", "json", "excel", "xml")


class ExportResultsOperator(LineageMixin, BaseOperator):
    """Writes what was tested of service requests into files, each of which appears whole or not at all.

    Args:
        service_requests: their numbers or the framework's ids.
        folder: where to, a folder of the worker; each file is named by its request's number.
        formats: ``csv``, ``json``, ``excel``, ``xml``.
        include_raw_data: write the points of curves and time series as well.
        framework_conn_id: the connection of the framework.
        ledger_conn_id: the connection of the ledger.
    """

    template_fields: Sequence[str] = ("service_requests", "folder", "formats", "include_raw_data", "framework_conn_id")
    ui_color = "#eef3fb"

    def __init__(
        self,
        *,
        service_requests: Sequence[int | str] | Any,
        folder: str,
        formats: Sequence[str] = ("csv",),
        include_raw_data: bool | str = False,
        framework_conn_id: str = "pv_framework",
        ledger_conn_id: str = "pv_ledger",
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retries(kwargs))
        self.service_requests = service_requests
        self.folder = folder
        self.formats = formats
        self.include_raw_data = include_raw_data
        self.framework_conn_id = framework_conn_id
        self.ledger_conn_id = ledger_conn_id

    def execute(self, context: Context) -> list[str]:
        """Write the files and return where they are.

        Raises:
            ConfigError: there is no such format, or the folder can't be written.
            DataError: there is no such request, or a format can't hold what was tested.
        """
        from pathlib import Path

        from pv_testing.core.errors import ConfigError
        from pv_testing.core.problems import allowed
        from pv_testing.exporters import DataExporter
        from pv_testing.lineage.exports import export_flows

        unknown = [each for each in self.formats if each not in FORMATS]
        if unknown:
            raise ConfigError(
                f"there is no format {unknown[0]!r}; {allowed(unknown[0], FORMATS)}", code=Reason.NO_FORMAT
            )
        folder = Path(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        hooks = {"framework": hook_of("framework", self.framework_conn_id)}
        written, tables = [], []
        with open_clients(hooks, self.ledger_conn_id, owner_of(context)) as (framework,):
            exporter = DataExporter(framework)
            for request in self.service_requests:
                for name in self.formats:
                    more = {"charts": True} if name == "excel" else {"include_raw_data": truth(self.include_raw_data)}
                    written.append(str(getattr(exporter, f"export_{name}")(request, folder, **more)))
                    tables += exporter.exported
                    self.log.info("written: %s", written[-1])
        keep_flows(self, lambda: export_flows(tables))
        return written


class ImportFilesOperator(LineageMixin, BaseOperator):
    """Imports the files that a system has dropped, as ``imports`` of its contract says; each row has its outcome.

    The task fails at its end when a row is deferred, or a whole file refused; rows that are wrong are in a file beside,
    to be corrected and dropped again. It is skipped when the system is disabled or its contract imports nothing.

    Args:
        system: whose contract says what is imported: ``lims``, ``qms``, ``pm`` or ``erp``.
        imports: the names of the imports; all of the contract without it.
        conn_id: the connection of the system; ``pv_lims`` for the LIMS and so on without it.
        ledger_conn_id: the connection of the ledger.
    """

    template_fields: Sequence[str] = ("imports", "conn_id", "ledger_conn_id")
    ui_color = "#eef3fb"

    def __init__(
        self,
        *,
        system: str,
        imports: Sequence[str] = (),
        conn_id: str = "",
        ledger_conn_id: str = "pv_ledger",
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retries(kwargs))
        self.system = system
        self.imports = imports
        self.conn_id = conn_id or f"pv_{system}"
        self.ledger_conn_id = ledger_conn_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Import what lies there and return what became of each file.

        Raises:
            ExchangeIncomplete: rows are deferred.
            DataError: whole files are refused.
            AirflowSkipException: there is nothing to import from.
        """
        from pv_testing.core.errors import DataError
        from pv_testing.core.sync import run
        from pv_testing.lineage.flows import by_dataset

        hooks = {self.system: hook_of(self.system, self.conn_id)}
        reports: list[FileReport] = []
        flows: list[Flow] = []
        with open_clients(hooks, self.ledger_conn_id, owner_of(context)) as (client,):
            known = client.contract.imports
            if not known:
                raise AirflowSkipException(f"the contract {client.contract.name} imports nothing")
            store = store_of(client)
            for name in self.imports or known:
                reports += run(self._import(client, known[name], store, owner_of(context), flows))
        keep_flows(self, lambda: by_dataset(flows))
        refused = [report for report in reports if report.refused]
        if refused:
            names = "; ".join(f"{each.rejected}: {each.refused}" for each in refused)
            raise DataError(f"{len(refused)} files are refused: {names}", system=self.system, code=Reason.FILE_REFUSED)
        return [
            {"file": each.name, "archived": each.archived, "rows": dict(each.counts), "rejected": each.rejected}
            for each in reports
        ]

    async def _import(
        self, client: SystemClient, how: FileImport, store: FileStore, owner: str, flows: list[Flow]
    ) -> list[FileReport]:
        from collections import Counter
        from functools import partial

        from pv_testing.exchange.engine import Exchange
        from pv_testing.importers import FileImporter
        from pv_testing.importers.keeping import KeepRows
        from pv_testing.lineage.imports import import_flow

        async def imported(carry: Carry, contract: Contract) -> list[FileReport]:
            reports = await FileImporter(how, store, carry).run()
            counts = sum((report.counts for report in reports), Counter[str]())
            flows.append(import_flow(how, counts, contract))
            return reports

        if not how.system:
            kept = Exchange(KeepRows(client.ledger, self.system, how.name), client.ledger, owner=owner)
            return await imported(kept.arun, client.contract)
        if how.system == self.system:
            return await imported(partial(client.aexchange, how.operation), client.contract)
        async with hook_of(how.system, f"pv_{how.system}").get_client(client.ledger, owner) as other:
            return await imported(partial(other.aexchange, how.operation), other.contract)


class RequestCertificatesOperator(LineageMixin, BaseOperator):
    """Asks the LIMS for the certificates of approved service requests, for each sample once.

    Args:
        service_request: the number of the only one; all that are approved without it.
        dry_run: only say which service requests these are.
        replay: ask once more where an answer was lost.
        framework_conn_id: the connection of the framework.
        lims_conn_id: the connection of the LIMS.
        ledger_conn_id: the connection of the ledger.
    """

    template_fields: Sequence[str] = ("service_request", "is_dry_run", "replay", "framework_conn_id", "lims_conn_id")
    ui_color = "#eef3fb"

    def __init__(
        self,
        *,
        service_request: str = "",
        dry_run: bool | str = False,
        replay: bool | str = False,
        framework_conn_id: str = "pv_framework",
        lims_conn_id: str = "pv_lims",
        ledger_conn_id: str = "pv_ledger",
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retries(kwargs))
        self.service_request = service_request
        self.is_dry_run = dry_run
        self.replay = replay
        self.framework_conn_id = framework_conn_id
        self.lims_conn_id = lims_conn_id
        self.ledger_conn_id = ledger_conn_id

    def execute(self, context: Context) -> list[list[str]]:
        """Ask for them and return all that aren't filed yet, each as key, sample id and certificate id.

        Raises:
            DataError: an answer was lost.
            AirflowSkipException: the LIMS makes no certificates, or there are none to wait for.
        """
        from pv_testing.core.sync import run
        from pv_testing.samples.certificates import request_certificates
        from pv_testing.workflow.selection import choose

        hooks = {
            "framework": hook_of("framework", self.framework_conn_id),
            "lims": hook_of("lims", self.lims_conn_id),
        }
        with open_clients(hooks, self.ledger_conn_id, owner_of(context)) as (framework, lims):
            if "request_certificate" not in lims.contract.operations:
                raise AirflowSkipException(f"the contract {lims.contract.name} has no request_certificate")
            numbers = list(choose(framework, ["REPORTS_APPROVED"], str(self.service_request or "").strip()))
            if truth(self.is_dry_run):
                raise AirflowSkipException(f"certificates would be asked for: {', '.join(numbers) or 'none'}")
            certificates = run(request_certificates(lims, numbers, replay=truth(self.replay)))
        waiting = [list(each[:3]) for each in certificates if not each.filed]
        if not waiting:
            raise AirflowSkipException("no certificate is to be filed")
        return waiting


class FileCertificatesOperator(LineageMixin, BaseOperator):
    """Files finished certificates in the LIMS's store of files, each once, under its sample's key.

    Args:
        certificates: what :class:`RequestCertificatesOperator` gave.
        lims_conn_id: the connection of the LIMS.
        ledger_conn_id: the connection of the ledger.
    """

    template_fields: Sequence[str] = ("certificates", "lims_conn_id", "ledger_conn_id")
    ui_color = "#eef3fb"

    def __init__(
        self,
        *,
        certificates: Any,
        lims_conn_id: str = "pv_lims",
        ledger_conn_id: str = "pv_ledger",
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retries(kwargs))
        self.certificates = certificates
        self.lims_conn_id = lims_conn_id
        self.ledger_conn_id = ledger_conn_id

    def execute(self, context: Context) -> list[str]:
        """File them and return their names.

        Raises:
            ConfigError: no store of files is configured.
        """
        from pv_testing.core.sync import run
        from pv_testing.domain.datasets import CERTIFICATES
        from pv_testing.lineage import Flow
        from pv_testing.samples.certificates import Certificate, file_certificates

        hooks = {"lims": hook_of("lims", self.lims_conn_id)}
        with open_clients(hooks, self.ledger_conn_id, owner_of(context)) as (client,):
            lims: LIMSClient = client
            wanted = [Certificate(*each) for each in self.certificates]
            filed = run(file_certificates(lims, wanted, store_of(lims)))
        keep_flows(self, lambda: [Flow(CERTIFICATES, written=len(filed), in_effect=len(filed))])
        return filed


def store_of(client: SystemClient) -> FileStore:
    """Return the store of files of a system, as its option ``file_store`` says.

    Args:
        client: of the system.

    Raises:
        ConfigError: there is none.
    """
    from hooks.object_storage import open_path
    from pv_testing.core.errors import ConfigError
    from pv_testing.transports.files.store import open_store

    address = str(client.options["file_store"])
    if not address:
        message = f"files of {client.system} need options: {{file_store: FOLDER}} in its section"
        raise ConfigError(message, system=client.system, code="SETTING_MISSING")
    return open_store(address, open_path)
