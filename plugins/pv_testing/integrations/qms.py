"""The quality management system: non-conformances, CAPAs, their files and the audit trail."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pv_testing.core.errors import MappingError
from pv_testing.core.reasons import Reason
from pv_testing.core.sync import run
from pv_testing.exchange.report import Report
from pv_testing.integrations.client import SystemClient
from pv_testing.integrations.matching import LISTINGS
from pv_testing.integrations.qms_records import (
    audit_event_record,
    capa_record,
    given_attachment,
    nc_record,
    own_key,
)

CAPA = (
    "title",
    "problem_statement",
    "root_cause",
    "corrective_action",
    "preventive_action",
    "effectiveness_criteria",
    "capa_key",
    "external_id",
)
EVENT = (
    "timestamp",
    "user",
    "action",
    "resource_type",
    "resource_id",
    "changes",
    "ip_address",
    "session_id",
    "event_key",
    "external_id",
    "source",
    "position",
)
EQUAL_EVENTS = (
    "two equal events came in one call and have no key of their own: give each an event_key, or source and position, "
    "if both have happened; else send one"
)


class QMSClient(SystemClient):
    """Speaks with the QMS in the words of the integration guide.

    Every write goes through the exchange engine: a lost response is looked up, a repeated call sends nothing, whichever
    process makes it; the ledger that the configuration names remembers it, or the one that is given.

    Example:
        >>> qms = QMSClient("https://qms.company.com/api", username="integration_user", password="…")  # doctest: +SKIP
        >>> qms.find_nc_report("5678")["status"]  # doctest: +SKIP
        'open'
    """

    system: ClassVar[str] = "qms"
    words: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "create_nc_report": {
            "detected_at": "detection_date",
            "immediate_cause": "root_cause_analysis.immediate_cause",
            "contributing_factors": "root_cause_analysis.contributing_factors",
        },
    }

    def create_nc_report(
        self,
        title: str,
        description: str = "",
        severity: str = "Minor",
        source: str = "Testing",
        detection_date: Any = None,
        related_documents: Sequence[str] = (),
        affected_items: Sequence[Mapping[str, Any]] = (),
        root_cause_analysis: Mapping[str, Any] | None = None,
        proposed_corrective_action: str = "",
        *,
        execution_id: str | int = "",
        external_id: str = "",
        sr_number: str = "",
        serial_number: str = "",
        protocol_id: str = "",
        protocol_name: str = "",
        earlier_nc: str = "",
    ) -> dict[str, Any]:
        """Report a non-conformance, or return the one that is there.

        Args:
            title: in one line.
            description: what was found.
            severity: ``Minor``, ``Major`` or ``Critical``.
            source: where it came to light.
            detection_date: a ``datetime`` or RFC 3339 text; without a zone it is taken as UTC.
            related_documents: such as the service request's number.
            affected_items: each with ``type``, ``id`` and ``quantity``.
            root_cause_analysis: ``immediate_cause``, and ``contributing_factors`` as text, a list, or values by name.
            proposed_corrective_action: what is to be done.
            execution_id: the business key; without it, title, affected items and detection date make one.
            external_id: the same, for a report that is on no execution.
            sr_number: the service request's number.
            serial_number: the module's.
            protocol_id: of the test.
            protocol_name: of the test.
            earlier_nc: the id of the report on an earlier test of the same module.

        Returns:
            What the QMS says of the report; ``nc_id``, ``nc_report_id`` and ``id`` are its id there.

        Raises:
            Rejected: the QMS refuses the report.
            MappingError: a field is missing or can't be mapped.
        """
        given = {
            "title": title,
            "description": description,
            "severity": severity,
            "source": source,
            "detection_date": detection_date,
            "related_documents": related_documents,
            "affected_items": affected_items,
            "root_cause_analysis": root_cause_analysis or {},
            "proposed_corrective_action": proposed_corrective_action,
            "execution_id": execution_id,
            "external_id": external_id,
            "sr_number": sr_number,
            "serial_number": serial_number,
            "protocol_id": protocol_id,
            "protocol_name": protocol_name,
            "earlier_nc": earlier_nc,
        }
        answer = self.one(self.create_nc_reports([given]))
        return {**answer, "nc_id": answer["id"], "nc_report_id": answer["id"]}

    def create_nc_reports(self, reports: Sequence[Mapping[str, Any]]) -> Report:
        """Report many non-conformances, each with the arguments of :meth:`create_nc_report` as a mapping."""
        return self._carry_all("create_nc_report", reports, nc_record)

    def create_capa(
        self,
        title: str,
        problem_statement: str = "",
        root_cause: str = "",
        corrective_action: Mapping[str, Any] | None = None,
        preventive_action: Mapping[str, Any] | None = None,
        effectiveness_criteria: str = "",
        *,
        capa_key: str = "",
        external_id: str = "",
        scope: str = "",
        protocol_id: str = "",
        related_ncs: Sequence[str] = (),
        approved_by: str = "",
    ) -> dict[str, Any]:
        """Raise a CAPA, or return the one that is there.

        Args:
            title: in one line.
            problem_statement: what keeps happening.
            root_cause: why, as far as known.
            corrective_action: ``description``, ``responsible`` and ``target_date``.
            preventive_action: the same.
            effectiveness_criteria: how it is seen that the actions help.
            capa_key: the business key; without it, the title and the corrective action's target date make one.
            external_id: the same.
            scope: what it is about, such as one protocol.
            protocol_id: of the test that fails.
            related_ncs: the ids of the reports that it follows from.
            approved_by: who has approved it.

        Returns:
            What the QMS says of the CAPA; ``capa_id`` and ``id`` are its id there.

        Raises:
            Rejected: the QMS refuses the CAPA.
            MappingError: a field is missing or can't be mapped.
        """
        given = {
            "title": title,
            "problem_statement": problem_statement,
            "root_cause": root_cause,
            "corrective_action": corrective_action,
            "preventive_action": preventive_action,
            "effectiveness_criteria": effectiveness_criteria,
        }
        about = {
            "capa_key": capa_key,
            "external_id": external_id,
            "scope": scope,
            "protocol_id": protocol_id,
            "related_ncs": related_ncs,
            "approved_by": approved_by,
        }
        known = {name: value for name, value in about.items() if value}
        answer = self.one(self.create_capas([{**given, **known}]))
        return {**answer, "capa_id": answer["id"]}

    def create_capas(self, capas: Sequence[Mapping[str, Any]]) -> Report:
        """Raise many CAPAs, each with the arguments of :meth:`create_capa` as a mapping."""
        return self._carry_all("create_capa", capas, capa_record, CAPA)

    def attach_file(
        self, capa_id: str, filename: str, content: bytes, content_type: str = "application/octet-stream"
    ) -> dict[str, Any]:
        """Attach a file to a CAPA, once; another content under the same name is a further file.

        Args:
            capa_id: the CAPA's id in the QMS.
            filename: without a folder.
            content: the file's bytes.
            content_type: such as ``image/png``.

        Raises:
            Rejected: the QMS refuses the file, or has no such CAPA.
        """
        given = {"capa_id": capa_id, "filename": filename, "content": content, "content_type": content_type}
        return self.one(self.exchange("attach_file", [self._whole("attach_file", given, given_attachment)]))

    def log_audit_event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Send one event of an audit trail to the QMS.

        Args:
            event: ``timestamp``, ``user``, ``action``, ``resource_type``, ``resource_id``, ``changes``, ``ip_address``
                and ``session_id``; :func:`pv_testing.integrations.qms_records.audit_event_record` says its business
                key.

        Raises:
            Rejected: the QMS refuses the event.
            MappingError: a field is missing or can't be mapped.
        """
        return self.one(self.log_audit_events([event]))

    def log_audit_events(self, events: Sequence[Mapping[str, Any]]) -> Report:
        """Send many events of an audit trail, each as :meth:`log_audit_event` takes it.

        Two equal events of one call that have no key of their own wait for a person (``DUPLICATE_KEY``), because only
        the caller knows whether they are one event or two.
        """
        name = "log_audit_event"
        times = Counter(audit_event_record(event).key for event in events if not own_key(event))
        records = []
        for event in events:
            record = self._whole(name, event, audit_event_record, EVENT)
            if times[record.key] > 1:
                record = replace(record, problem=MappingError(EQUAL_EVENTS, key=record.key, code=Reason.DUPLICATE_KEY))
            records.append(record)
        return self._carry(name, records)

    def find_nc_report(self, execution_id: str) -> dict[str, Any] | None:
        """Return the report on an execution, or ``None``."""
        return self._find("get_nc_reports", execution_id)

    def find_capa(self, capa_key: str) -> dict[str, Any] | None:
        """Return the CAPA with a business key, or ``None``."""
        return self._find("get_capas", capa_key)

    def get_nc_status(self, nc_id: str) -> str:
        """Return ``OPEN`` or ``CLOSED``, or another of our words that the contract has for the status of a report."""
        return self._status("nc_status", "get_nc_report", nc_id=nc_id)

    def get_capa_status(self, capa_id: str) -> str:
        """Return ``OPEN`` or ``CLOSED``, or another of our words that the contract has for the status of a CAPA."""
        return self._status("capa_status", "get_capa", capa_id=capa_id)

    async def anc_ids(self, execution_ids: Iterable[str]) -> dict[str, str]:
        """Return the QMS ids of those reports that the ledger knows, by execution."""
        return await asyncio.to_thread(self.ledger.external_ids, self.system, "nc", sorted(execution_ids))

    def _find(self, listing: str, key: str) -> dict[str, Any] | None:
        rows = run(self._amatching(listing, key))
        return rows[0] if rows else None

    async def alist(self, operation: str, /, **criteria: Any) -> list[dict[str, Any]]:
        """Return every item of a listing; one that has a map has our fields besides its own."""
        return [self._read(operation, row) for row in await super().alist(operation, **criteria)]

    def _status(self, vocabulary: str, operation: str, **asked: str) -> str:
        answer = self._read(operation, self.call(operation, **asked))
        return self.contract.vocabularies[vocabulary].read(str(answer.get("status")))

    def _read(self, operation: str, row: dict[str, Any]) -> dict[str, Any]:
        fields = self.contract.operation(operation).map
        if fields is None:
            return row
        read = fields.back(row)
        keyed = LISTINGS.get(operation)
        key = {keyed.word: read.get(keyed.ours)} if keyed else {}
        return {**row, **read, **key}
