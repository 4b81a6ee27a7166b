"""Checks a YAML file against its JSON Schema and reports each problem in words about the file."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

from pv_testing.core.errors import ConfigError
from pv_testing.core.places import SCHEMAS, project_root
from pv_testing.core.problems import Problem, allowed
from pv_testing.core.wording import kind, shown, wording
from pv_testing.core.yaml_file import Document, Place


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


def check(document: Document, schema: str) -> list[Problem]:
    """Return everything in which a file differs from its schema.

    Args:
        document: the file.
        schema: the schema's name.
    """
    return [each for error in validator(schema).iter_errors(document.value) for each in _explain(document, error)]


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
        yield document.problem(place, wording(error.validator, error.schema, error.instance, error.message))


def _nearest(document: Document, error: Any) -> Iterator[Problem]:
    """Explain only the alternative that was meant: the one whose type fits, else name the types."""
    branches: dict[int, list[Any]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    fitting: list[list[Any]] = []
    kinds: list[str] = []
    for errors in branches.values():
        of_type = [kind(inner.schema) for inner in errors if _is_type_of_whole(inner, error)]
        kinds += of_type
        if not of_type:
            fitting.append(errors)
    if fitting:
        for inner in min(fitting, key=len):
            yield from _explain(document, inner)
        return
    wanted = " or ".join(dict.fromkeys(kinds))
    yield document.problem(tuple(error.absolute_path), f"must be {wanted}, not {shown(error.instance)}")


def _is_type_of_whole(inner: Any, outer: Any) -> bool:
    return inner.validator == "type" and list(inner.absolute_path) == list(outer.absolute_path)
