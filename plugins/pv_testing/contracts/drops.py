"""Fields of ours that a product has no place for, where its contract says so: ``notes: {drop: true}``.

A field with a ``const`` can have it as well: the const is sent, whatever a caller says.

What a caller of a client says must be sent, or be dropped in so many words. Records that the workflows make have more
fields than a product takes, and need no such word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pv_testing.contracts.fields import normal
from pv_testing.core.problems import Problem
from pv_testing.core.yaml_file import Document

ALONE = "a dropped field is sent nowhere, so that beside `drop` only `from` can stand, or `to` with a `const`"
_ALONE, _CONST = {"drop", "from"}, {"drop", "to", "const"}
_NOWHERE = "(dropped) {}"

Maps = Mapping[str, Mapping[str, Any]]


def is_dropped(spec: Any) -> bool:
    """Say whether a map drops a field."""
    return isinstance(spec, Mapping) and "drop" in spec


def drop_problems(document: Document) -> Iterator[Problem]:
    """Find fields that are said to be dropped and sent."""
    for name, fields in document.value.get("maps", {}).items():
        for ours, spec in fields.items():
            if is_dropped(spec) and not (set(spec) <= _ALONE or set(spec) == _CONST):
                yield document.problem(("maps", name, ours), ALONE)


def without_dropped(document: Document) -> Document:
    """Return a contract whose maps have only the fields that are sent."""
    maps = document.value.get("maps")
    if maps is None:
        return document
    return replace(document, value={**document.value, "maps": {name: _sent(fields) for name, fields in maps.items()}})


def with_dropped(maps: Maps) -> dict[str, dict[str, Any]]:
    """Return maps that put what they drop into fields of its own, so that all that they take notice of can be seen."""
    whole: dict[str, dict[str, Any]] = {}
    for name, fields in maps.items():
        whole[name] = {**_sent(fields), **dict(_seen(ours, fields[ours]) for ours in dropped(fields))}
    return whole


def dropped(fields: Mapping[str, Any]) -> list[str]:
    """Return what a map drops."""
    return [ours for ours, spec in fields.items() if is_dropped(spec)]


def _sent(fields: Mapping[str, Any]) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    for ours, spec in fields.items():
        if not is_dropped(spec):
            sent[ours] = spec
        elif "const" in spec:
            sent[ours] = {"to": spec["to"], "const": spec["const"]}
    return sent


def _seen(ours: str, spec: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    nowhere = _NOWHERE.format(ours)
    field = {"to": nowhere, "from": normal(ours, spec)["from"], "required": False}
    return nowhere if "const" in spec else ours, field
