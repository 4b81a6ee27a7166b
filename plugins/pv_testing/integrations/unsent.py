"""Arguments of a caller that nothing would send: another value in the place of one makes no other request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pv_testing.contracts.fields import FieldMap
from pv_testing.core.errors import IntegrationError
from pv_testing.core.records import Record
from pv_testing.integrations.given import Given

Make = Callable[[Given], Record]
_ANOTHER = "(another value)"


def unsent(given: Given, make: Make, fields: FieldMap, defaults: Given) -> list[str]:
    """Return the names of arguments that would not be sent, dotted within a mapping or the mappings of a list.

    A value counts as sent where the record, its business key or the reason that it is refused for depends on it.

    Args:
        given: what the caller says.
        make: makes the record of it.
        fields: the contract's map, which also takes notice of what the contract drops on purpose.
        defaults: values that don't count as given, as empty ones don't.
    """
    as_it_is = _sent(given, make, fields)
    if as_it_is is None:
        return []
    arguments = {name: value for name, value in given.items() if name not in defaults or value != defaults[name]}
    names: list[str] = []
    for name, varied in _others(arguments):
        if _sent({**given, **varied}, make, fields) == as_it_is:
            names.append(name)
    return names


def _sent(given: Given, make: Make, fields: FieldMap) -> tuple[str, dict[str, Any]] | None:
    """Return what a record becomes; ``None`` for one that is refused, by what it says."""
    try:
        record = make(given)
        return None if record.problem else (record.key, fields.out(record.data))
    except (IntegrationError, TypeError, ValueError):
        return None


def _others(arguments: Given) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each thing that is said, with all that is said but another value of it."""
    for name, value in arguments.items():
        if not _is_given(value):
            continue
        if isinstance(value, Mapping):
            for inner, other in _others(value):
                yield f"{name}.{inner}", {**arguments, name: other}
        elif _is_list_of_mappings(value):
            for inner in _names_within(value):
                yield f"{name}.{inner}", {**arguments, name: _varied(value, inner)}
        else:
            yield name, {**arguments, name: _ANOTHER.encode() if isinstance(value, bytes) else _ANOTHER}


def _is_given(value: Any) -> bool:
    """Say whether a value is more than an empty place, as an argument has that is left out."""
    return value is not None and not (isinstance(value, (str, bytes, Mapping, Sequence)) and not value)


def _is_list_of_mappings(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, Mapping) for item in value)


def _names_within(items: Sequence[Given]) -> Iterator[str]:
    """Give each name once under which one of the mappings says something."""
    seen: set[str] = set()
    for item in items:
        for name, value in item.items():
            if name not in seen and _is_given(value):
                seen.add(name)
                yield name


def _varied(items: Sequence[Given], name: str) -> list[dict[str, Any]]:
    return [{**item, name: _ANOTHER} if _is_given(item.get(name)) else dict(item) for item in items]
