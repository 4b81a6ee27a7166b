"""The records of non-conformances, CAPAs, their files and audit events, from the guide's words."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from pv_testing.core import keys
from pv_testing.core.errors import MappingError
from pv_testing.core.fingerprint import fingerprint
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Record
from pv_testing.integrations.given import unknown

NC = (
    "title",
    "description",
    "severity",
    "source",
    "detection_date",
    "related_documents",
    "affected_items",
    "root_cause_analysis",
    "proposed_corrective_action",
    "execution_id",
    "external_id",
    "sr_number",
    "serial_number",
    "protocol_id",
    "protocol_name",
    "earlier_nc",
)
CAUSES = ("immediate_cause", "contributing_factors")
_KEY_LENGTH = 16


def nc_record(report: Mapping[str, Any]) -> Record:
    """Return the record of a non-conformance that is given in the guide's words."""
    causes = report.get("root_cause_analysis") or {}
    problem = unknown(report, NC) or unknown(causes, CAUSES, "root_cause_analysis.")
    detected = report.get("detection_date")
    items = [dict(item) for item in report.get("affected_items") or ()]
    own = {"title": report.get("title"), "affected_items": items, "detected": str(detected or "")}
    key = str(report.get("execution_id") or report.get("external_id") or _made("NC", own))
    optional = ("sr_number", "serial_number", "protocol_id", "protocol_name", "earlier_nc")
    data = {
        "execution_id": key,
        "title": report.get("title"),
        "description": report.get("description"),
        "severity": report.get("severity"),
        "source": report.get("source"),
        "detected_at": detected,
        "related_documents": [str(document) for document in report.get("related_documents") or ()],
        "affected_items": items,
        "immediate_cause": causes.get("immediate_cause"),
        "contributing_factors": _listed(causes.get("contributing_factors")),
        "proposed_corrective_action": report.get("proposed_corrective_action"),
        **{name: report[name] for name in optional if report.get(name)},
    }
    return Record(key, data, problem)


def capa_record(capa: Mapping[str, Any]) -> Record:
    """Return the record of a CAPA that is given in the guide's words."""
    action = capa.get("corrective_action") or {}
    own = {"title": capa.get("title"), "target_date": str(action.get("target_date") or "")}
    key = str(capa.get("capa_key") or capa.get("external_id") or _made("CAPA", own))
    data = {**capa, "capa_key": key}
    data.pop("external_id", None)
    return Record(key, data)


def attachment_record(capa_id: str, filename: str, content: bytes, content_type: str) -> Record:
    """Return the record of a file of a CAPA; its content is known by its digest."""
    problem = None if content else MappingError("the file is empty", code=Reason.FIELD_MISSING)
    data = {
        "capa_id": capa_id,
        "filename": filename,
        "content_type": content_type,
        "content": base64.b64encode(content).decode(),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return Record(keys.compose(capa_id, filename), data, problem)


def given_attachment(given: Mapping[str, Any]) -> Record:
    """Return the record of a file of a CAPA that is given by its fields."""
    return attachment_record(**given)


def audit_event_record(event: Mapping[str, Any]) -> Record:
    """Return the record of an audit event.

    Args:
        event: in the guide's words. Its business key is ``event_key`` (or ``external_id``), else ``source`` and
            ``position`` (the place in that source's order), else a digest of the whole event.
    """
    given = dict(event)
    given.pop("event_key", None)
    given.pop("external_id", None)
    key = own_key(event) or _made("EVENT", given)
    return Record(key, {**given, "event_key": key})


def own_key(event: Mapping[str, Any]) -> str:
    """Return the business key that an event itself gives, or empty."""
    key = event.get("event_key") or event.get("external_id")
    if key:
        return str(key)
    source, position = event.get("source"), event.get("position")
    if source and position not in (None, ""):
        return keys.below(str(source), str(position))  # a source names itself as it likes, with slashes too
    return ""


def _made(prefix: str, content: dict[str, Any]) -> str:
    """Return a business key that is always the same for the same content."""
    return f"{prefix}-{fingerprint(content)[:_KEY_LENGTH]}"


def _listed(factors: Any) -> list[str]:
    """Return factors as a list of text; of values by name, both."""
    if isinstance(factors, Mapping):
        return [f"{name}: {value}" for name, value in factors.items()]
    if isinstance(factors, (list, tuple, set, frozenset)):
        return [str(each) for each in factors]
    return [] if factors is None or factors == "" else [str(factors)]
