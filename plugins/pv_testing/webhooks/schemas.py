"""The JSON Schema of each event, and the AsyncAPI 3 document of all: made from the table of events, kept as files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pv_testing.domain.events import (
    EVENTS,
    FACTS,
    PROTOCOL_COMPLETED,
    REPORT_GENERATED,
    SERVICE_REQUEST_CREATED,
    WAITING,
)

DRAFT = "http://json-schema.org/draft-07/schema#"
FORMAT = "application/schema+json;version=draft-07"
ASYNCAPI = "asyncapi.json"
Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_ID: Json = {"type": ["string", "integer"]}
_TIME: Json = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"}
_RECORD: Json = {
    "system": {"enum": ["framework", "lims", "qms", "pm", "erp"]},
    "kind": {**_TEXT, "description": "What the record is, such as sample."},
    "key": {**_TEXT, "description": "The business key."},
    "outcome": {**_TEXT, "description": "What became of it: created, updated, adopted, rejected or quarantined."},
    "id": {**_TEXT, "description": "Its id in the system."},
    "revision": {"type": "integer", "minimum": 0},
    **{name: {"type": ["string", "integer", "boolean", "number"]} for name in FACTS},
}
_WAITS: Json = {
    "code": {**_TEXT, "description": "The reason code."},
    "reason": {**_TEXT, "description": "The same in words."},
}
_DATA: Mapping[str, tuple[Json, list[str]]] = {
    SERVICE_REQUEST_CREATED: (
        {"sr_id": _ID, "sr_number": _TEXT, "status": _TEXT, "created_at": _TIME},
        ["sr_id", "sr_number"],
    ),
    PROTOCOL_COMPLETED: (
        {
            "execution_id": _ID,
            "protocol_id": _TEXT,
            "sr_number": _TEXT,
            "status": {"const": "COMPLETE"},
            "qc_status": {**_TEXT, "description": "PASS, FAIL, another word of the framework's, or UNDECIDED."},
            "results_url": {**_TEXT, "description": "Where the framework has the results."},
        },
        ["execution_id", "protocol_id", "sr_number", "status", "qc_status"],
    ),
    REPORT_GENERATED: (
        {
            "sr_id": _ID,
            "sr_number": _TEXT,
            "report_id": _ID,
            "report_type": _TEXT,
            "format": _TEXT,
            "status": {"const": "COMPLETE"},
            "generated_at": _TIME,
            "download_url": _TEXT,
        },
        ["sr_id", "sr_number", "report_id", "status"],
    ),
    WAITING: ({**_RECORD, **_WAITS}, ["system", "kind", "key", "code", "reason"]),
}
_ANY_RECORD = (_RECORD, ["system", "kind", "key"])


def schema(name: str) -> Json:
    """Return the JSON Schema of an event's body."""
    properties, required = _DATA.get(name, _ANY_RECORD)
    return {
        "$schema": DRAFT,
        "title": name,
        "description": EVENTS[name],
        "type": "object",
        "additionalProperties": False,
        "required": ["event", "timestamp", "data", "signature"],
        "properties": {
            "event": {"const": name},
            "timestamp": {**_TIME, "description": "When it happened, in UTC; it stays over retries."},
            "data": {"type": "object", "additionalProperties": False, "required": required, "properties": properties},
            "signature": {**_TEXT, "pattern": "^sha256=[0-9a-f]{64}$"},
        },
    }


def asyncapi() -> Json:
    """Return the AsyncAPI 3 document of all events."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "PV testing events",
            "version": "1.0.0",
            "description": "What registered endpoints are told, each at least once, under an id that stays.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "events": {
                "address": None,
                "description": "The address that was registered.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in EVENTS},
            }
        },
        "operations": {
            "tell": {"action": "send", "channel": {"$ref": "#/channels/events"}, "summary": "POST to the endpoint."}
        },
        "components": {"messages": {name: _message(name) for name in EVENTS}},
    }


def _message(name: str) -> Json:
    headers = {
        "type": "object",
        "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
        "properties": {
            "webhook-id": {**_TEXT, "description": "The same over retries and replays."},
            "webhook-timestamp": {**_TEXT, "description": "Epoch seconds of this try."},
            "webhook-signature": {**_TEXT, "description": "Standard Webhooks; one for each live secret."},
        },
    }
    payload = {"schemaFormat": FORMAT, "schema": {"$ref": f"./{name}.schema.json"}}
    return {"name": name, "title": name, "summary": EVENTS[name], "headers": headers, "payload": payload}


def documents() -> dict[str, str]:
    """Return every file with its content, by its name."""
    made = {f"{name}.schema.json": schema(name) for name in EVENTS}
    return {name: json.dumps(content, indent=2) + "\n" for name, content in {**made, ASYNCAPI: asyncapi()}.items()}


def write(folder: Path) -> int:
    """Write every file, and return how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    made = documents()
    for name, content in made.items():
        (folder / name).write_text(content, encoding="utf-8")
    return len(made)
