"""Checks OpenLineage events against the classes that the client's authors generate from the official JSON Schemas.

The schemas themselves are in no package. Who has a copy of OpenLineage's folder ``spec`` names it in
``OPENLINEAGE_SPEC``; then each event is checked against it, too.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import pkgutil
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import SimpleNamespace, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attr
from openlineage.client import event_v2, facet_v2, generated
from openlineage.client.generated import base

SPEC = os.environ.get("OPENLINEAGE_SPEC", "")
CORE = "https://openlineage.io/spec/2-0-2/OpenLineage.json"


def problems(event: Any) -> list[str]:
    """Return what is wrong with an event; nothing where it is valid."""
    return list(_object(event, event_v2.RunEvent, "event"))


@functools.cache
def facet_classes() -> dict[str, type]:
    """Return the class of each facet by the address of its schema."""
    classes = {}
    for module in pkgutil.iter_modules(generated.__path__):
        for each in vars(importlib.import_module(f"openlineage.client.generated.{module.name}")).values():
            if isinstance(each, type) and issubclass(each, base.BaseFacet):
                classes[each._get_schema()] = each  # noqa: SLF001 - the client says it nowhere else
    return classes


def _object(value: Any, cls: type, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: is no object"
        return
    if issubclass(cls, base.BaseFacet):
        known = facet_classes().get(value.get("_schemaURL", ""))
        if known is None:
            yield f"{path}: nothing is known of the schema {value.get('_schemaURL')!r}"
            return
        if known not in {base.BaseFacet, *_groups()} and not issubclass(known, cls):
            yield f"{path}: {known.__name__} is no {cls.__name__}"
        cls = known
    yield from _fields(value, cls, path)


def _groups() -> tuple[type, ...]:
    return (facet_v2.RunFacet, facet_v2.JobFacet, facet_v2.DatasetFacet)


def _fields(value: dict[str, Any], cls: type, path: str) -> Iterator[str]:
    hints = get_type_hints(cls)
    fields = {each.name: each for each in attr.fields(cls)}
    own = {"_producer", "_schemaURL", "producer", "schemaURL"}
    for name, each in fields.items():
        if name in value:
            yield from _value(value[name], hints[name], f"{path}.{name}")
        elif each.default is attr.NOTHING or name in own:
            yield f"{path}.{name}: is missing"
    if cls not in {base.BaseFacet, *_groups()} and not hasattr(cls, "with_additional_properties"):
        yield from (f"{path}.{name}: isn't in the schema" for name in set(value) - set(fields))
    yield from _validated(value, fields, path)


def _validated(value: dict[str, Any], fields: dict[str, Any], path: str) -> Iterator[str]:
    whole = SimpleNamespace(**{**dict.fromkeys(fields), **value})
    for name, each in fields.items():
        if name in value and each.validator is not None:
            try:
                each.validator(whole, each, value[name])
            except (ValueError, TypeError) as error:
                yield f"{path}.{name}: {error}"


def _value(value: Any, hint: Any, path: str) -> Iterator[str]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        if value is None and type(None) in inner:
            return
        tried = [list(_value(value, each, path)) for each in inner if each is not type(None)]
        yield from min(tried, key=len)
    elif origin is list:
        yield from _list(value, inner[0], path)
    elif origin is dict:
        yield from _dict(value, inner[1], path)
    elif origin is Literal:
        yield from [] if value in inner else [f"{path}: is none of {inner}"]
    elif isinstance(hint, type):
        yield from _plain(value, hint, path)


def _list(value: Any, inner: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path}: is no list"
        return
    for place, each in enumerate(value):
        yield from _value(each, inner, f"{path}[{place}]")


def _dict(value: Any, inner: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: is no object"
        return
    for name, each in value.items():
        yield from _value(each, inner, f"{path}.{name}")


def _plain(value: Any, hint: type, path: str) -> Iterator[str]:
    if attr.has(hint):
        yield from _object(value, hint, path)
    elif issubclass(hint, Enum):
        yield from [] if value in {each.value for each in hint} else [f"{path}: is none of {hint.__name__}"]
    elif hint is float:
        yield from [] if isinstance(value, (int, float)) and not isinstance(value, bool) else [f"{path}: is no number"]
    elif hint in {str, int, bool} and (type(value) is not hint):
        yield f"{path}: is no {hint.__name__}"


def official_problems(event: dict[str, Any], folder: Path) -> list[str]:
    """Return what is wrong with an event by the official schemas in a folder."""
    validators = _validators(folder)
    messages = [error.message for error in validators(f"{CORE}#/$defs/RunEvent").iter_errors(event)]
    for name, facet in facets(event):
        messages += [f"{name}: {error.message}" for error in validators(facet["_schemaURL"]).iter_errors(facet)]
    return messages


@functools.cache
def _validators(folder: Path) -> Any:
    import jsonschema
    from referencing import Registry, Resource

    files = {path.name: path for path in sorted(folder.rglob("*.json"))}

    def retrieve(url: str) -> Any:
        """Return the schema of that name in the version that the folder has."""
        return Resource.from_contents(json.loads(files[url.rpartition("/")[2]].read_text(encoding="utf-8")))

    registry: Any = Registry(retrieve=retrieve)  # type: ignore[call-arg]
    return functools.cache(lambda url: jsonschema.Draft202012Validator({"$ref": url}, registry=registry))


def facets(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every facet of an event by its name."""
    holders = [event["run"], event["job"], *event.get("inputs", []), *event.get("outputs", [])]
    for holder in holders:
        for part in ("facets", "inputFacets", "outputFacets"):
            yield from (holder.get(part) or {}).items()
