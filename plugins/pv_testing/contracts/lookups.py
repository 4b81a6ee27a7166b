"""Checks that requests hold what they seem to hold: above all that a look-up asks for the record that it is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pv_testing.contracts.calls import sides, templates_of
from pv_testing.contracts.fields import AROUND, looks_around, normal
from pv_testing.contracts.paths import Template
from pv_testing.contracts.quoting import Quoted, faults, has_placeholder
from pv_testing.contracts.soap import calls
from pv_testing.core.problems import Problem, allowed
from pv_testing.core.yaml_file import Document, Place

CONTEXT = ("id", "key")
FIXED = "is sent as it is, because a const is not filled; write a text with a field in `query`, or the field alone"
SAME = (
    "asks the same of every record, so that the answer says nothing of one: put a field of the record into its path, "
    "query or keys, or say `broad: true` where it lists everything that is there"
)
ALIKE = "says the same of every record, so that no answer could be told to be one's own; name a field of the record"
UNSTAMPED = "; bulk requests have stamps of their own: repeat it in bulk.stamps"
STATE = "doesn't compare {0}, so that every sample that is there would count as received; name it in in_effect"


def look_up_problems(document: Document) -> Iterator[Problem]:
    """Find requests that are the same for records that aren't."""
    for place, call in calls(document.value):
        yield from _call_problems(document, place, call)
    for name, fields in document.value.get("maps", {}).items():
        for ours, spec in fields.items():
            if isinstance(spec, Mapping) and has_placeholder(spec.get("const")):
                yield document.problem(("maps", name, ours, "const"), FIXED)
    for name, operation in document.value["operations"].items():
        if operation.get("map") in _maps_within(document.value):
            text = f"{AROUND} stands for the record around one of a list, and this map is one of a whole record"
            yield document.problem(("operations", name, "map"), text)
        if "find" in operation:
            yield from _find_problems(document, ("operations", name, "find"), operation)
        if "key" in operation.get("bulk", {}):
            yield from _bulk_problems(document, ("operations", name, "bulk", "key"), operation)


def _call_problems(document: Document, place: Place, call: Mapping[str, Any]) -> Iterator[Problem]:
    if Template.of(call.get("path", "")).stray():
        yield document.problem((*place, "path"), "has braces around something else than the name of a field")
    query = call.get("query", {})
    for ours, (_, text) in templates_of(query).items():
        for fault in faults(text):
            yield document.problem((*place, "query", ours), fault)
    for ours, spec in query.items():
        if isinstance(spec, Mapping) and has_placeholder(spec.get("const")):
            yield document.problem((*place, "query", ours, "const"), FIXED)


def _find_problems(document: Document, place: Place, operation: Mapping[str, Any]) -> Iterator[Problem]:
    find = operation["find"]
    key, _ = sides(find["key"])
    yield from _stray(document, (*place, "key"), find["key"])
    asked = [*Template.of(find.get("path", "")).names, *_asked_by_query(find), *_asked_by_keys(find)]
    varying, constant = _given(document.value, operation)
    known = None if varying is None else [*varying, *constant]
    unsent = list(_unsent((*asked, *Template.of(key).names), known))
    for text in unsent:
        yield document.problem(place, text)
    same = not any(varying is None or _is_within(name, varying) for name in asked)
    if same and not unsent and not (find.get("broad") or "listing" in find):
        yield document.problem(place, SAME)
    state = _state_field(document.value, operation)
    if state and state not in find.get("in_effect", {}):
        yield document.problem(place, STATE.format(state))


def _bulk_problems(document: Document, place: Place, operation: Mapping[str, Any]) -> Iterator[Problem]:
    """Find what keeps the key of bulk answers from telling records apart: it is made of what the bulk request sends."""
    bulk = operation["bulk"]
    yield from _stray(document, place, bulk["key"])
    fields, constant = _fields(document.value, operation)
    if fields is None:
        return
    sent, stamps = bulk.get("fields", [*fields, *constant]), bulk.get("stamps", {})
    own = [target for target, name in stamps.items() if name != "revision"]
    names = Template.of(sides(bulk["key"])[0]).names
    unsent = list(_unsent(names, [*sent, *stamps]))
    hint = UNSTAMPED if set(names) & set(operation.get("stamps", {})) else ""
    for text in unsent:
        yield document.problem(place, text + hint)
    if not unsent and not any(_is_within(name, [*fields, *own]) for name in names):
        yield document.problem(place, ALIKE)


def _stray(document: Document, place: Place, key: str | Mapping[str, str]) -> Iterator[Problem]:
    if any(Template.of(text).stray() for text in sides(key)):
        yield document.problem(place, "has braces around something else than the name of a field")


def _unsent(names: Iterable[str], known: Sequence[str] | None) -> Iterator[str]:
    """Give a text for each name that no field of the request has; the fields of a record without a map are unknown."""
    for name in names:
        if known is not None and not _is_within(name, known):
            yield f"nothing that is sent is called {name!r}; {allowed(name, list(known))}"


def _asked_by_query(find: Mapping[str, Any]) -> list[str]:
    query = find.get("query", {})
    templates = templates_of(query)
    names = [ours for ours, spec in query.items() if ours not in templates and not _is_const(spec)]
    for _, text in templates.values():
        names += Quoted.of(text).names
    return names


def _is_const(spec: Any) -> bool:
    return isinstance(spec, Mapping) and "const" in spec


def _asked_by_keys(find: Mapping[str, Any]) -> list[str]:
    each = find["keys"]["each"] if "keys" in find else {}
    return [each] if isinstance(each, str) else list(each)


def _given(written: Mapping[str, Any], operation: Mapping[str, Any]) -> tuple[list[str] | None, list[str]]:
    """Return what a look-up may take from a record that differs between records, and what doesn't; see `_fields`."""
    varying, constant = _fields(written, operation)
    return None if varying is None else [*varying, *CONTEXT], constant


def _fields(written: Mapping[str, Any], operation: Mapping[str, Any]) -> tuple[list[str] | None, list[str]]:
    """Return the fields of a request that differ between records, and those that don't; no list without a map."""
    fields = written.get("maps", {}).get(operation.get("map", ""))
    if fields is None:
        return None, []
    varying: list[str] = []
    constant: list[str] = []
    for ours, short in fields.items():
        spec = normal(ours, short)
        (constant if "const" in spec else varying).append(spec["to"])
    return varying, constant


def _is_within(name: str, fields: Iterable[str]) -> bool:
    """Say whether a path leads to a field, into one, or to what one is in."""
    return any(name == field or name.startswith(f"{field}.") or field.startswith(f"{name}.") for field in fields)


def _state_field(written: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
    """Return the field of a sample's status, without which a look-up can't tell whether the sample has arrived."""
    if operation.get("kind") != "sample_status":
        return ""
    fields = written.get("maps", {}).get(operation.get("map", ""), {})
    for ours, short in fields.items():
        spec = normal(ours, short)
        if "lims_status" in spec["from"]:
            return str(spec["to"])
    return ""


def _maps_within(written: Mapping[str, Any]) -> set[str]:
    """Return the maps that take something from the record around theirs."""
    within: set[str] = set()
    for name, fields in written.get("maps", {}).items():
        for ours, spec in fields.items():
            if looks_around(normal(ours, spec)):
                within.add(name)
    return within
