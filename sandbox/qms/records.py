"""The QMS's records in its own SQLite file, and when it lets people change or close them."""

from __future__ import annotations

import base64
from typing import Any

from sandbox.problems import HttpProblem
from sandbox.qms.models import CapaIn, EventIn, FileIn, NcIn, dumped
from sandbox.register import Register, table
from sandbox.store import Database
from sandbox.times import now

_TABLES = ("nc_reports", "capas", "attachments", "audit_events")
SCHEMA = "".join(table(name) for name in _TABLES)
BUSINESS_KEYS: dict[str, tuple[str, ...]] = dict.fromkeys(_TABLES, ("external_id",))
OPEN, CLOSED = "open", "closed"


class QmsRecords:
    """The QMS's records.

    Args:
        store: its database.
    """

    def __init__(self, store: Database) -> None:
        self.store = store
        self.ncs = Register(store, "nc_reports", "NC", "Non-conformance", with_nc_id)
        self.capas = Register(store, "capas", "CAPA", "CAPA", with_capa_id)
        self.files = Register(store, "attachments", "ATT", "Attachment")
        self.events = Register(store, "audit_events", "AUD", "Audit event", without_status)

    def report(self, report: NcIn) -> dict[str, Any]:
        """Open a non-conformance."""
        self._known(report)
        return self.ncs.get(self.ncs.add(report.external_id, {**dumped(report), "closed_at": None}, OPEN))

    def raise_capa(self, capa: CapaIn) -> dict[str, Any]:
        """Open a CAPA on non-conformances that exist."""
        self._known(capa)
        return self.capas.get(self.capas.add(capa.external_id, {**dumped(capa), "closed_at": None}, OPEN))

    def change(self, register: Register, identity: str, wanted: NcIn | CapaIn) -> dict[str, Any]:
        """Put another content in the place of an open document's.

        Raises:
            HttpProblem: it is closed, or the content is another document's.
        """
        kept = self._open(register, identity, "can't be changed")
        if kept["external_id"] != wanted.external_id:
            raise HttpProblem(
                409, "KEY_MISMATCH", f"{identity} is of {kept['external_id']}, not of {wanted.external_id}"
            )
        self._known(wanted)
        return register.change(identity, dumped(wanted))

    def close(self, register: Register, identity: str, closed_at: str | None) -> dict[str, Any]:
        """Close a document, as people do.

        Raises:
            HttpProblem: it is closed already, or a CAPA on this non-conformance is open.
        """
        self._open(register, identity, "can't be closed")
        waiting = [capa["id"] for capa in self.capas.having(status=OPEN) if identity in capa["related_ncs"]]
        if waiting:
            raise HttpProblem(409, "CAPA_OPEN", f"{identity} can't be closed while {', '.join(waiting)} is open")
        return register.change(identity, {"closed_at": closed_at or now()}, CLOSED)

    def attach(self, capa_id: str, file: FileIn) -> dict[str, Any]:
        """Keep a file of a CAPA; the same file twice is a double."""
        self.capas.get(capa_id)
        key = f"{capa_id}/{file.filename}/{file.sha256}"
        body = {**file.model_dump(), "capa_id": capa_id, "size": len(file.data())}
        return self.file(self.files.add(key, body))

    def file(self, identity: str) -> dict[str, Any]:
        """Return a file without its content."""
        return without_content(self.files.get(identity))

    def content(self, identity: str) -> tuple[bytes, str]:
        """Return the bytes of a file and their content type."""
        kept = self.files.get(identity)
        return base64.b64decode(kept["content"]), str(kept["content_type"])

    def log(self, event: EventIn) -> dict[str, Any]:
        """Keep an audit event."""
        return self.events.get(self.events.add(event.external_id, dumped(event)))

    def _open(self, register: Register, identity: str, why: str) -> dict[str, Any]:
        kept = register.get(identity)
        if kept["status"] != OPEN:
            raise HttpProblem(409, "INVALID_TRANSITION", f"{register.label} {identity} is {kept['status']} and {why}")
        return kept

    def _known(self, document: NcIn | CapaIn) -> None:
        """Make sure that the non-conformances that a document names exist."""
        earlier = [document.earlier_nc] if isinstance(document, NcIn) else document.related_ncs
        for identity in earlier:
            if identity is not None:
                self.ncs.get(identity)


def with_nc_id(report: dict[str, Any]) -> dict[str, Any]:
    """Return a non-conformance with the name that the integration guide gives its id."""
    return {**report, "nc_id": report["id"]}


def with_capa_id(capa: dict[str, Any]) -> dict[str, Any]:
    """Return a CAPA with the name that the integration guide gives its id."""
    return {**capa, "capa_id": capa["id"]}


def without_status(event: dict[str, Any]) -> dict[str, Any]:
    """Return an audit event, which has no status that could change."""
    return {name: value for name, value in event.items() if name != "status"}


def without_content(file: dict[str, Any]) -> dict[str, Any]:
    """Return a file as a listing shows it."""
    return {name: value for name, value in file.items() if name not in {"content", "status"}}
