"""Reads a part of a YAML file as a model; what is wrong with it keeps file, line and key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

from pydantic import ValidationError

from pv_testing.core.model import Model, json_schema
from pv_testing.core.problems import allowed, refuse
from pv_testing.core.wording import wording
from pv_testing.core.yaml_file import Document, Place

AnyModel = TypeVar("AnyModel", bound=Model)
Fault = tuple[Place, str]
NOT_SHOWN = "has a value of the wrong type or shape, which is not shown here"

_KEYWORDS = {
    "extra_forbidden": "additionalProperties",
    "missing": "required",
    "literal_error": "enum",
    "string_pattern_mismatch": "pattern",
    "greater_than": "exclusiveMinimum",
    "greater_than_equal": "minimum",
    "less_than": "exclusiveMaximum",
    "less_than_equal": "maximum",
    "is_instance_of": "type",
}
"""JSON Schema's words for pydantic's; those on ``_type`` are its ``type``."""
_LIMITS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def parse(model: type[AnyModel], document: Document) -> AnyModel:
    """Return a whole file as a model.

    Raises:
        ConfigError: with file, line, key and remedy for each thing that is wrong.
    """
    read, faults = validate(model, document.value)
    refuse(document.problem(place, text) for place, text in faults)
    assert read is not None
    return read


def validate(
    model: type[AnyModel], written: Any, *, hidden: AbstractSet[str] = frozenset(), show: bool = True
) -> tuple[AnyModel | None, list[Fault]]:
    """Return what was written as a model, or everything that is wrong with it, each with its place.

    Args:
        model: what it is to be.
        written: of mappings, lists and plain values.
        hidden: keys of which nothing is said but that they are wrong.
        show: whether the values of the others may be shown.
    """
    try:
        return model.model_validate(written), []
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
    # A default that depends on another key isn't made where that one is wrong, which is said already.
    errors = [each for each in errors if each["type"] != "default_factory_not_called"]
    faults = dict.fromkeys(_fault(model, written, each, show=show) for each in errors)
    return None, [(place, text if hidden.isdisjoint(place) else NOT_SHOWN) for place, text in faults]


def _fault(model: type[Model], written: Any, error: Mapping[str, Any], *, show: bool) -> Fault:
    place, value = _reached(written, error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return place, str(context["error"])
    keyword = "type" if kind.endswith("_type") else _KEYWORDS.get(kind, kind)
    if keyword == "additionalProperties":
        known = list(_schema_at(model, place[:-1]).get("properties", ()))
        return place, f"unknown key; {allowed(str(place[-1]), known)}"
    limits = " and ".join(f"it must be {word} {context[name]:g}" for name, word in _LIMITS.items() if name in context)
    return place, wording(keyword, _schema_at(model, place), value, limits or _length(error), show=show)


def _length(error: Mapping[str, Any]) -> str:
    """Return what is said of a text or a list of the wrong length."""
    context = error.get("ctx", {})
    for name, word in (("min_length", "at least"), ("max_length", "at most")):
        if name in context:
            unit = "characters" if error["type"].startswith("string") else "items"
            return "must not be empty" if context[name] == 1 else f"must have {word} {context[name]} {unit}"
    return str(error["msg"]).replace("Input should", "must", 1)


def _reached(written: Any, location: tuple[str | int, ...]) -> tuple[Place, Any]:
    """Return how far a location leads into what was written, and what is there.

    Pydantic's locations go on with missing keys and with the names of the types that a value could have had.
    """
    place: list[str | int] = []
    for step in location:
        if isinstance(written, (list, tuple)):
            inside = isinstance(step, int) and step < len(written)
        else:
            inside = isinstance(written, Mapping) and step in written
        if not inside:
            break
        place.append(step)
        written = written[step]
    return tuple(place), written


def _schema_at(model: type[Model], place: Place) -> dict[str, Any]:
    """Return the schema of what is at a place, with the description that is given there."""
    whole = json_schema(model)
    schema: dict[str, Any] = whole
    for step in place:
        schema = next(inner for inner in _inner(schema, step, whole) if inner is not None)
    return _resolved(schema, whole)


def _inner(schema: dict[str, Any], step: str | int, whole: dict[str, Any]) -> Iterator[dict[str, Any] | None]:
    schema = _resolved(schema, whole)
    for branch in (schema, *schema.get("anyOf", ())):
        yield branch.get("properties", {}).get(step)
        yield branch.get("items") if isinstance(step, int) else branch.get("additionalProperties") or None
    yield {}


def _resolved(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return {**whole["$defs"][name], **schema} if name else schema
