"""Checks a YAML file against its JSON Schema and reports each problem in words about the file."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from pv_testing.core.errors import ConfigError
from pv_testing.core.places import SCHEMAS, project_root
from pv_testing.core.problems import Problem, allowed
from pv_testing.core.yaml_file import Document, Place

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}


@functools.cache
def validator(name: str) -> Any:
    """Return the validator of a schema in ``include/schemas``.

    Args:
        name: such as ``contract``.

    Raises:
        ConfigError: the project lacks the schema.
    """
    from jsonschema import Draft202012Validator

    path = project_root() / SCHEMAS / f"{name}.schema.json"
    try:
        return Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror or error}") from None


def check(document: Document, schema: str, hidden: AbstractSet[str] = frozenset()) -> list[Problem]:
    """Return everything in which a file differs from its schema.

    Args:
        document: the file.
        schema: the schema's name.
        hidden: keys whose values are not to be shown.
    """
    problems: list[Problem] = []
    for error in validator(schema).iter_errors(document.value):
        problems += _explain(document, error)
    return [each if hidden.isdisjoint(re.split(r"[.\[]", each.key)) else _hide(each) for each in problems]


def _hide(problem: Problem) -> Problem:
    return replace(problem, text="has a value of the wrong type or shape, which is not shown here")


def _explain(document: Document, error: Any) -> Iterator[Problem]:
    place: Place = tuple(error.absolute_path)
    if error.validator in {"oneOf", "anyOf"}:
        yield from _nearest(document, error)
    elif error.validator == "additionalProperties":
        known = list(error.schema.get("properties", ()))
        for name in error.instance:
            if name not in known:
                yield document.problem((*place, name), f"unknown key; {allowed(str(name), known)}")
    elif "propertyNames" in error.absolute_schema_path:
        yield document.problem(
            (*place, error.instance), f"can't be a name here; names are {error.schema['description']}"
        )
    else:
        yield document.problem(place, _say(error))


def _nearest(document: Document, error: Any) -> Iterator[Problem]:
    """Explain only the alternative that was meant: the one whose type fits, else name the types."""
    branches: dict[int, list[Any]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    fitting: list[list[Any]] = []
    kinds: list[str] = []
    for errors in branches.values():
        of_type = [_kind(inner.schema) for inner in errors if _is_type_of_whole(inner, error)]
        kinds += of_type
        if not of_type:
            fitting.append(errors)
    if fitting:
        for inner in min(fitting, key=len):
            yield from _explain(document, inner)
        return
    wanted = " or ".join(dict.fromkeys(kinds))
    yield document.problem(tuple(error.absolute_path), f"must be {wanted}, not {_shown(error.instance)}")


def _is_type_of_whole(inner: Any, outer: Any) -> bool:
    return inner.validator == "type" and list(inner.absolute_path) == list(outer.absolute_path)


def _kind(schema: dict[str, Any]) -> str:
    kinds = schema.get("type", ())
    return " or ".join(_KINDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _say(error: Any) -> str:
    shown = _shown(error.instance)
    if error.validator == "type":
        return f"must be {_kind(error.schema)}, not {shown}"
    if error.validator in {"enum", "const"}:
        words = [str(word) for word in error.schema.get("enum", [error.schema.get("const")])]
        return f"{shown} is unknown; {allowed(str(error.instance), words)}"
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"misses {', '.join(missing)}"
    if error.validator == "pattern":
        return f"{shown} must be {error.schema.get('description') or 'like ' + error.validator_value}"
    if error.validator in {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}:
        return f"{shown} is out of range: {error.message}"
    return str(error.message)[:200]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"
