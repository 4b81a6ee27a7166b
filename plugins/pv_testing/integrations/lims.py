"""The laboratory information management system: samples, results, statuses and certificates."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from pv_testing.contracts.rows import LISTING, SampleRow, SampleRows
from pv_testing.core import keys
from pv_testing.core.errors import ConfigError, MappingError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Record
from pv_testing.core.sync import run
from pv_testing.domain.samples import sample_key
from pv_testing.exchange.report import Report
from pv_testing.integrations.client import SystemClient
from pv_testing.integrations.given import unknown
from pv_testing.integrations.matching import matching
from pv_testing.integrations.receipt import STATUS, Receipt, read_receipts
from pv_testing.integrations.refused_statuses import release_changed
from pv_testing.integrations.renaming import Renaming

SAMPLE = ("external_id", "sample_type", "project_id", "customer", "metadata")
RESULT_SET = ("sample_id", "test_id", "test_name", "test_date", "operator", "results", "execution_id", "external_id")
MEASUREMENT = ("analyte", "value", "unit", "uncertainty", "status")
STATUS_UPDATE = ("sample_id", "status", "notes")


class LIMSClient(SystemClient):
    """Speaks with the LIMS in the words of the integration guide.

    Every write goes through the exchange engine: a lost response is looked up, a repeated call sends nothing, whichever
    process makes it; the ledger that the configuration names remembers it, or the one that is given.

    Example:
        >>> lims = LIMSClient(base_url="https://lims.company.com/api/v2", api_key="…")  # doctest: +SKIP
        >>> lims.create_sample("SN001", "PV Module", "SR-2025-0123", "Solar Corporation")["id"]  # doctest: +SKIP
        'LIM-000001'
    """

    system: ClassVar[str] = "lims"
    words: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "create_sample": {"serial_number": "external_id", "sr_number": "project_id", "customer_name": "customer"},
        "upload_results": {
            "lims_sample_id": "sample_id",
            "protocol_id": "test_id",
            "protocol_name": "test_name",
            "completed_at": "test_date",
            "operator_name": "operator",
            "measurements": "results",
            "parameter": "analyte",
            "qc_status": "status",
        },
        STATUS: {"lims_sample_id": "sample_id", "lims_status": "status"},
    }

    def __init__(self, *address: Any, **settings: Any) -> None:
        super().__init__(*address, **settings)
        self.renaming = Renaming.read()

    @property
    def rules(self) -> str:
        """Which rules say what a record becomes here: the contract, and the file that renames measurements."""
        return self.contract.digest + self.renaming.digest

    async def aexchange(
        self, operation: str, records: Sequence[Record], *, replay: bool = False, dry_run: bool = False
    ) -> Report:
        """Run one operation over many records, with measurements renamed as ``field_mappings.yaml`` says.

        A status that was refused is tried again once its sample has changed.

        Args:
            operation: its name in the contract.
            records: what to carry, in the project's words.
            replay: try records again that wait for a person with the same content.
            dry_run: only say what would happen.
        """
        if operation == "upload_results":
            records = [self.renaming.applied(record) for record in records]
        if operation == STATUS and not (replay or dry_run):
            setting = (await self.provider()).operation(STATUS)
            await release_changed(setting, self.ledger, records, self.owner)
        return await super().aexchange(operation, records, replay=replay, dry_run=dry_run)

    def create_sample(
        self,
        external_id: str,
        sample_type: str = "PV Module",
        project_id: str = "",
        customer: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Create a sample, or return the one that is there.

        Args:
            external_id: the module's serial number.
            sample_type: as the LIMS calls it.
            project_id: the service request's number.
            customer: the customer's name.
            metadata: manufacturer, model, power rating and so on.

        Returns:
            What the LIMS says of the sample; ``id`` is its id there.

        Raises:
            Rejected: the LIMS refuses the sample.
            MappingError: a field is missing or can't be mapped.
        """
        given = {"external_id": external_id, "sample_type": sample_type, "project_id": project_id}
        return self.one(self.create_samples([{**given, "customer": customer, "metadata": metadata or {}}]))

    def create_samples(self, samples: Sequence[Mapping[str, Any]]) -> Report:
        """Create many samples, each with the arguments of :meth:`create_sample` as a mapping.

        Returns:
            The report; nothing is raised for a single sample.
        """
        return self._carry_all("create_sample", samples, sample_record)

    def upload_results(
        self, sample_id: str | Mapping[str, Any], results: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Upload the results of one test of one sample, or an amendment when they have changed.

        Args:
            sample_id: the sample's id in the LIMS; alternatively the whole of it as one mapping with ``sample_id``.
            results: ``test_id``, ``test_name``, ``test_date``, ``operator`` and ``results``, a list with ``analyte``,
                ``value``, ``unit``, ``uncertainty`` and ``status``. With ``execution_id`` the result set is known
                under it; without, under sample, test and date.

        Returns:
            What the LIMS says of the result set.

        Raises:
            Rejected: the LIMS refuses the results.
            MappingError: a field is missing or can't be mapped.
        """
        given = dict(sample_id) if isinstance(sample_id, Mapping) else {"sample_id": sample_id}
        return self.one(self.upload_result_sets([{**given, **(results or {})}]))

    def upload_result_sets(self, result_sets: Sequence[Mapping[str, Any]]) -> Report:
        """Upload many result sets, each with ``sample_id`` and the fields of :meth:`upload_results`."""
        return self._carry_all("upload_results", result_sets, result_set_record)

    def update_sample_status(self, sample_id: str, status: str, notes: str = "") -> dict[str, Any]:
        """Set the status of a sample.

        Args:
            sample_id: the sample's id in the LIMS.
            status: in the LIMS's words, such as ``In Testing``.
            notes: why, for the reader in the LIMS.

        Raises:
            Rejected: the LIMS doesn't allow this status now.
        """
        return self.one(self.update_sample_statuses([{"sample_id": sample_id, "status": status, "notes": notes}]))

    def update_sample_statuses(self, updates: Sequence[Mapping[str, Any]]) -> Report:
        """Set the statuses of many samples, each with the arguments of :meth:`update_sample_status`."""
        ids = [str(update.get("sample_id") or "") for update in updates]
        known = self.ledger.find_by_external_id(self.system, "sample", ids)
        keys = [known.get(sample_id, sample_id) for sample_id in ids]
        return self._carry_keyed(STATUS, zip(keys, updates, strict=True), status_record)

    def get_samples_by_status(self, status: str) -> list[dict[str, Any]]:
        """Return every sample with a status, as the LIMS describes it, page by page.

        Args:
            status: in the LIMS's words, such as ``Pending Receipt``.
        """
        return run(self.asamples(status=status))

    async def asamples(self, **criteria: Any) -> list[dict[str, Any]]:
        """Return the samples that meet the criteria (``status``, ``project_id``, ``external_id``)."""
        return await self.alist(LISTING, **criteria)

    async def asample_rows(self, *, status: str = "", sr_number: str = "") -> list[SampleRow]:
        """Return the samples that the LIMS lists, in our words.

        Args:
            status: in the LIMS's words, such as ``Pending Receipt``; any without it.
            sr_number: of a service request; any without it.

        Raises:
            ConfigError: the contract doesn't say how the listing is read.
            ResponseError: a row has no key or no id where the contract says, or a sample is listed twice.
        """
        rows = self._sample_rows()
        criteria = {**({"status": status} if status else {}), **self._of_project(sr_number)}
        listed = await self.alist(LISTING, **criteria)
        return [row for row in map(rows.read, listed) if sr_number in {"", row.sr_number}]

    async def asample_ids(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the LIMS ids of those samples that the ledger knows, by business key."""
        return await asyncio.to_thread(self.ledger.external_ids, self.system, "sample", sorted(keys))

    async def areceipts(self, sample_ids: Mapping[str, str]) -> dict[str, Receipt]:
        """Return whether samples have arrived, each read by its id; a listing without it proves nothing.

        Args:
            sample_ids: their ids in the LIMS, by business key.

        Raises:
            ConfigError: the contract doesn't say how the status of a sample is looked up.
        """
        operation = (await self.provider()).operation(STATUS)
        return await read_receipts(operation, self.contract, sample_ids)

    def find_sample(self, external_id: str, project_id: str = "") -> dict[str, Any] | None:
        """Return the sample with a business key, or ``None``.

        Args:
            external_id: the module's serial number.
            project_id: the service request's number; without it, any request's.

        Raises:
            ConfigError: the contract doesn't say how the listing is read.
            ResponseError: the LIMS lists other samples without this one (``FILTER_IGNORED``), or a row has no key.
        """
        return run(self._afind_sample(external_id, project_id))

    async def _afind_sample(self, external_id: str, project_id: str) -> dict[str, Any] | None:
        rows = self._sample_rows()
        criteria = {"external_id": external_id, **self._of_project(project_id)}
        listed = await self.alist(LISTING, **criteria)
        with self._speaking_of(LISTING):
            matches = matching(listed, lambda row: rows.read(row).serial_number, external_id)
            if "project_id" in criteria:
                matches = matching(matches, lambda row: rows.read(row).sr_number, project_id)
        return next((row for row in matches if project_id in {"", rows.read(row).sr_number}), None)

    def _sample_rows(self) -> SampleRows:
        rows = self.contract.sample_rows
        if rows is None:
            message = f"the contract must say by `map` of {LISTING} how its rows are read in our words"
            raise ConfigError(message, system=self.system, provider=self.config.provider, code=Reason.NO_ROWS)
        return rows

    def _of_project(self, sr_number: str) -> dict[str, str]:
        """Return the criterion for the samples of one service request, where the contract's listing takes it."""
        known = self.contract.operation(LISTING).call.query
        return {"project_id": sr_number} if sr_number and "project_id" in known else {}

    def request_certificate(self, sample_id: str) -> dict[str, Any]:
        """Ask the LIMS to make the certificate of an approved sample.

        Returns:
            The LIMS's answer with ``certificate_id`` and ``status``.
        """
        return dict(self.call("request_certificate", sample_id=sample_id))

    def get_certificate(self, certificate_id: str) -> dict[str, Any]:
        """Return how far a certificate is."""
        return dict(self.call("get_certificate", certificate_id=certificate_id))

    def download_certificate(self, certificate_id: str) -> bytes:
        """Return a finished certificate as a PDF file's bytes."""
        return bytes(self.call("download_certificate", certificate_id=certificate_id))


def sample_record(sample: Mapping[str, Any]) -> Record:
    """Return the record of a sample that is given in the guide's words."""
    external_id, project_id = str(sample.get("external_id") or ""), str(sample.get("project_id") or "")
    metadata = dict(sample.get("metadata") or {})
    data = {
        **metadata,
        "sr_number": project_id,
        "serial_number": external_id,
        "sample_type": sample.get("sample_type"),
        "customer_name": sample.get("customer"),
        "customer": {"name": sample.get("customer")},
        "module": metadata,
    }
    missing = None if external_id else MappingError("Missing field: external_id", code=Reason.FIELD_MISSING)
    return Record(sample_key(project_id, external_id), data, missing or unknown(sample, SAMPLE))


def result_set_record(results: Mapping[str, Any]) -> Record:
    """Return the record of a result set that is given in the guide's words."""
    sample_id = str(results.get("sample_id") or "")
    test_id = str(results.get("test_id") or "")
    date = str(results.get("test_date") or "")
    key = str(results.get("execution_id") or results.get("external_id") or keys.compose(sample_id, test_id, date))
    problem = unknown(results, RESULT_SET)
    measurements: list[dict[str, Any]] = []
    for place, result in enumerate(results.get("results") or ()):
        problem = problem or unknown(result, MEASUREMENT, f"results[{place}].")
        measurements.append(_measurement(dict(result)))
    data = {
        "execution_id": key,
        "lims_sample_id": sample_id,
        "protocol_id": test_id,
        "protocol": {"protocol_id": test_id, "name": results.get("test_name")},
        "completed_at": date,
        "operator_name": results.get("operator"),
        "measurements": measurements,
    }
    return Record(key, data, problem)


def _measurement(result: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "parameter": result.get("analyte"),
        "value": result.get("value"),
        "unit": result.get("unit"),
        "uncertainty": result.get("uncertainty"),
        "qc_status": result.get("status"),
    }


def status_record(key: str, update: Mapping[str, Any]) -> Record:
    """Return the record of a status update that is given in the guide's words.

    Args:
        key: the sample's business key, or its id in the LIMS where the ledger doesn't know it.
        update: ``sample_id``, ``status`` and ``notes``.
    """
    data = {
        "lims_sample_id": update.get("sample_id"),
        "lims_status": update.get("status"),
        "notes": update.get("notes") or "",
    }
    return Record(key, data, unknown(update, STATUS_UPDATE))
