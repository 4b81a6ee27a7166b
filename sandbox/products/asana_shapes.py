"""How Asana shows what it holds: a few fields, unless ``opt_fields`` names others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sandbox.products.documents import Document
from sandbox.products.json_server import Asked

if TYPE_CHECKING:
    from sandbox.products.asana import Asana

COMPACT = ("gid", "resource_type", "resource_subtype", "name")
RECORD = (
    *COMPACT, "notes", "completed", "completed_at", "created_at", "start_on", "due_on", "assignee", "parent",
    "projects", "memberships", "custom_fields", "actual_time_minutes",
)  # fmt: skip
ALWAYS = ("gid", "resource_type")


def task(asana: Asana, document: Document, *, oauth: bool) -> dict[str, Any]:
    """Return a task with everything that it has; external data is shown to apps only."""
    parent = asana.documents.get("task", document["parent"] or "")
    shown = {name: document[name] for name in ("name", "notes", "completed", "completed_at", "created_at")}
    shown |= {name: document[name] for name in ("start_on", "due_on")}
    minutes = sum(entry["duration_minutes"] for entry in asana.entries(document["number"]))
    known = sections()
    section = {"gid": document["section"], "resource_type": "section", "name": known.get(document["section"], "")}
    whole = {
        "gid": str(document["number"]),
        "resource_type": "task",
        "resource_subtype": "default_task",
        **shown,
        "assignee": named(asana.person(document["assignee"])) if document["assignee"] else None,
        "parent": None if parent is None else {**named(parent), "resource_subtype": "default_task"},
        "projects": [project() for _ in document["projects"]],
        "memberships": [{"project": project(), "section": section} for _ in document["projects"]],
        "custom_fields": _custom_fields(document),
        "actual_time_minutes": minutes or None,
    }
    if oauth and "external" in document:
        whole["external"] = document["external"]
    return whole


def _custom_fields(document: Document) -> list[dict[str, Any]]:
    """Return the fields of a task's project, with their values here."""
    if not document["projects"]:
        return []
    shown = []
    for gid, kind in fields().items():
        value = document["custom_fields"].get(gid)
        own = {"gid": gid, "resource_type": "custom_field", "name": gid, "resource_subtype": kind, "type": kind}
        shown.append({**own, f"{kind}_value": value, "display_value": None if value is None else str(value)})
    return shown


def named(thing: Mapping[str, Any]) -> dict[str, Any]:
    """Return the compact form of a person or a task."""
    if "number" in thing:
        return {"gid": str(thing["number"]), "resource_type": "task", "name": thing["name"]}
    return {name: thing[name] for name in ("gid", "resource_type", "name")}


def chosen(whole: Mapping[str, Any], asked: Asked, default: Sequence[str]) -> dict[str, Any]:
    """Return the fields that a request names, else the usual ones; ids are always shown."""
    wanted = asked.query.get("opt_fields")
    names = [*ALWAYS, *(wanted.split(",") if wanted else default)]
    return _part(whole, names)


def _part(whole: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in dict.fromkeys(path.partition(".")[0] for path in names):
        if name not in whole:
            continue
        inner = [path.partition(".")[2] for path in names if path.startswith(f"{name}.")]
        shown[name] = _inner(whole[name], inner) if inner else whole[name]
    return shown


def _inner(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [_inner(each, names) for each in value]
    return _part(value, [*ALWAYS, *names]) if isinstance(value, dict) else value


def sections() -> Mapping[str, str]:
    """Return the sections of the project, by their numbers."""
    from sandbox.products.asana import SECTIONS

    return SECTIONS


def fields() -> Mapping[str, str]:
    """Return the kinds of the project's custom fields, by their numbers."""
    from sandbox.products.asana import FIELDS

    return FIELDS


def project() -> dict[str, Any]:
    """Return the project, in its compact form."""
    from sandbox.products.asana import PROJECT

    return {"gid": PROJECT, "resource_type": "project", "name": "PV laboratory"}
