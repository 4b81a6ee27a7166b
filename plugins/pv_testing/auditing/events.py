"""Audit events of the ledger and of the framework as records for the QMS, in the integration guide's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

import orjson

from pv_testing.core.fingerprint import fingerprint
from pv_testing.core.records import Record
from pv_testing.ledger import AuditEvent
from pv_testing.ledger.audit import MARK

FRAMEWORK = "framework"
UNKNOWN = "unknown"
NOTHING = "-"
_ACTIONS = {
    "release": "released",
    "confirm": "confirmed",
    "restore": "restored",
    "settle_refused": "settlement_refused",
}
_RUN = re.compile(r"([^/]+/[^/]+)/[^/]+ try [0-9]+")
_ZONE = re.compile(r"([Zz]|[-+][0-9]{2}:[0-9]{2})$")
_NETWORK = {4: 24, 6: 48}
_SHORT = 16


def ledger_source(first: AuditEvent) -> str:
    """Name a ledger by its first event, so that the trails of two ledgers in one QMS are told apart."""
    return f"ledger/{first.hash[:12]}"


def is_delivery(event: AuditEvent, kind: str) -> bool:
    """Whether an event only says that the QMS has, or hasn't yet, taken an audit event.

    Such an event isn't sent: it would be followed by another one for ever.

    Args:
        event: of the ledger.
        kind: what the QMS's contract calls audit events.
    """
    return event.kind == kind and event.action in {"settle", "settle_refused"}


def is_mark(event: AuditEvent) -> bool:
    """Whether an event only says that a watermark has changed; it isn't sent, because each sweep makes one."""
    return event.action == MARK


def ledger_record(event: AuditEvent, source: str) -> Record:
    """Return the record of a ledger's event.

    ``changes`` is everything that the event's hash is computed from, so that the record can be checked by itself. The
    key has a piece of the hash, because the new events of a restored ledger have the numbers of lost ones.

    Args:
        event: of the ledger.
        source: the ledger, as :func:`ledger_source` names it.
    """
    hashed = {name: getattr(event, name) for name in AuditEvent.__dataclass_fields__ if name != "hash"}
    detail = orjson.dumps(event.detail, option=orjson.OPT_SORT_KEYS).decode()
    run = _RUN.fullmatch(event.owner)
    key = f"{source}/{event.sequence}/{event.hash[:_SHORT]}"
    data = {
        "event_key": key,
        "timestamp": event.at,
        "user": event.owner or UNKNOWN,
        "action": _ACTIONS.get(event.action) or event.result or event.action,
        "resource_type": "/".join(part for part in (event.system, event.kind) if part) or "ledger",
        "resource_id": event.key or NOTHING,
        "changes": {**hashed, "detail": detail},
        "session_id": run[1] if run else None,
        "source": source,
        "position": event.sequence,
        "hash": event.hash,
    }
    return Record(key, data)


def framework_record(row: Mapping[str, Any], *, mask_ip: bool = False) -> Record:
    """Return the record of one of the framework's events, whose key is its id and a piece of the hash of its content.

    The hash is always that of the masked address: with the whole one, it would give away what is masked.

    Args:
        row: the event as the framework lists it.
        mask_ip: send the network of the IP address only.
    """
    fields = {
        "timestamp": row.get("timestamp"),
        "user": _user(row),
        "action": row.get("action") or UNKNOWN,
        "resource_type": row.get("resource_type") or NOTHING,
        "resource_id": str(row.get("resource_id") or NOTHING),
        "changes": _changes(row),
        "session_id": row.get("session_id"),
    }
    address = row.get("ip_address")
    digest = fingerprint({**fields, "id": row.get("id"), "ip_address": masked(address)})
    identity = [] if row.get("id") is None else [str(row["id"])]
    key = "/".join([FRAMEWORK, *identity, digest[:_SHORT]])
    data = {
        **fields,
        "event_key": key,
        "ip_address": masked(address) if mask_ip else address,
        "source": FRAMEWORK,
        "position": place_of(row) or None,
        "hash": digest,
    }
    return Record(key, data)


def place_of(row: Mapping[str, Any]) -> int:
    """Return an event's place in the framework's order; 0 where its id is no number."""
    identity = str(row.get("id") or "")
    return int(identity) if identity.isdecimal() else 0


def lacks_zone(row: Mapping[str, Any]) -> bool:
    """Whether the time of one of the framework's events names no zone."""
    return not _ZONE.search(str(row.get("timestamp")).strip())


def masked(address: Any) -> str | None:
    """Return the network of an IP address: the first 24 bits, of version 6 the first 48; ``None`` for anything else."""
    try:
        known = ip_address(str(address).strip())
    except ValueError:
        return None
    return str(ip_network(f"{known}/{_NETWORK[known.version]}", strict=False).network_address)


def _user(row: Mapping[str, Any]) -> str:
    user = row.get("user")
    named = [user.get("username"), user.get("id")] if isinstance(user, Mapping) else [user]
    return str(next((name for name in (*named, row.get("username"), row.get("user_id")) if name), UNKNOWN))


def _changes(row: Mapping[str, Any]) -> Any:
    if row.get("changes"):
        return row["changes"]
    sides = {"old": row.get("old_value"), "new": row.get("new_value")}
    return {side: value for side, value in sides.items() if value is not None} or None
