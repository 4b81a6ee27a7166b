"""Dotted paths and templates, compiled to closures: a path costs about 0.1 µs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any
from urllib.parse import quote

from pv_testing.core import keys
from pv_testing.core.errors import MappingError
from pv_testing.core.reasons import Reason

Getter = Callable[[Any], Any]
Putter = Callable[[dict[str, Any], Any], None]
Keys = Callable[[Sequence[Any]], list[Any]]

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")


def getter(path: str) -> Getter:
    """Return a function that follows a dotted path through mappings and list places; ``None`` where it ends early.

    Args:
        path: such as ``customer.name`` or ``data.0.id``; empty for the whole.
    """
    if not path:
        return lambda data: data
    parts = path.split(".")
    if len(parts) == 1:
        return _one(parts[0])
    if len(parts) == 2 and not any(part.isdigit() for part in parts):
        return _two(*parts)
    steps = [_one(part) for part in parts]

    def follow(data: Any) -> Any:
        for step in steps:
            data = step(data)
        return data

    return follow


def _one(name: str) -> Getter:
    place = int(name) if name.isdigit() else None

    def get(data: Any) -> Any:
        if type(data) is dict or isinstance(data, Mapping):
            return data.get(name)
        if place is not None and isinstance(data, list) and place < len(data):
            return data[place]
        return None

    return get


def _two(outer: str, inner: str) -> Getter:
    def get(data: Any) -> Any:
        value = data.get(outer) if type(data) is dict or isinstance(data, Mapping) else None
        return value.get(inner) if type(value) is dict or isinstance(value, Mapping) else None

    return get


def first(paths: Sequence[str]) -> Getter:
    """Return a function that gives the first value that isn't ``None`` of several dotted paths."""
    if len(paths) == 1:
        return getter(paths[0])
    getters = [getter(path) for path in paths]

    def get(data: Any) -> Any:
        for each in getters:
            value = each(data)
            if value is not None:
                return value
        return None

    return get


def putter(path: str) -> Putter:
    """Return a function that sets a value at a dotted path of a dictionary, with any missing dictionary on the way."""
    *outer, last = path.split(".")
    if not outer:

        def put(target: dict[str, Any], value: Any) -> None:
            target[last] = value

        return put

    def put_deep(target: dict[str, Any], value: Any) -> None:
        for name in outer:
            inner = target.get(name)
            if not isinstance(inner, dict):
                inner = target[name] = {}
            target = inner
        target[last] = value

    return put_deep


def has(data: Any, path: str) -> bool:
    """Say whether there is something at a dotted path, be it empty."""
    outer, _, last = path.rpartition(".")
    inner = getter(outer)(data)
    return isinstance(inner, Mapping) and last in inner


def _part(get: Getter) -> Getter:
    def escaped(data: Any) -> Any:
        value = get(data)
        return value if value is None or value == "" else keys.compose(str(value))

    return escaped


@dataclass(frozen=True, slots=True)
class Template:
    """Text with ``{placeholders}``, each a dotted path.

    Attributes:
        text: as it was written.
        names: the placeholders in their order.
    """

    text: str
    names: tuple[str, ...]
    _getters: tuple[Getter, ...]
    _literals: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Template:
        """Compile a template."""
        pieces = _PLACEHOLDER.split(text)
        names = tuple(pieces[1::2])
        return cls(text, names, tuple(getter(name) for name in names), tuple(pieces[0::2]))

    @classmethod
    def of_key(cls, text: str) -> Template:
        """Compile a template of a business key: of several placeholders, each is a part that ``keys`` escapes."""
        template = cls.of(text)
        if len(template.names) == 1:
            return template
        return replace(template, _getters=tuple(_part(getter(name)) for name in template.names))

    def fill(self, values: Mapping[str, Any]) -> str | None:
        """Return the text with its placeholders filled, or ``None`` where a value is missing or empty."""
        text = self._literals[0]
        for get, literal in zip(self._getters, self._literals[1:], strict=True):
            value = get(values)
            if value is None or value == "":
                return None
            text += f"{value}{literal}"
        return text

    def has(self, values: Mapping[str, Any]) -> bool:
        """Say whether every placeholder is there, be it empty."""
        return all(has(values, name) for name in self.names)

    def stray(self) -> bool:
        """Say whether there are braces that hold no placeholder, and would be sent as they are."""
        return any("{" in literal or "}" in literal for literal in self._literals)

    def url(self, values: Mapping[str, Any], context: Mapping[str, Any]) -> str:
        """Return an address with its placeholders filled and quoted, so that no value can lead elsewhere.

        Args:
            values: looked at first.
            context: looked at for what ``values`` lacks.

        Raises:
            MappingError: a value is missing, or one that can't be a part of an address.
        """
        if not self.names:
            return self.text
        text = self._literals[0]
        for name, get, literal in zip(self.names, self._getters, self._literals[1:], strict=True):
            value = get(values)
            if value is None or value == "":
                value = get(context)
            part = "" if value is None else str(value)
            if not part or set(part) == {"."}:
                raise MappingError(f"{self.text}: no usable value for {name}", code=Reason.FIELD_MISSING)
            text += quote(part, safe="") + literal
        return text


def key_pair(sent: str, found: str) -> tuple[Keys, Keys]:
    """Compile two templates of a business key whose results are only compared with each other, hundreds at a time.

    Args:
        sent: over one kind of thing.
        found: over the other.

    Returns:
        A function for each, which gives the keys of many things; ``None`` where a part of the key is missing.
    """
    one, other = Template.of_key(sent), Template.of_key(found)
    if one.names and _PLACEHOLDER.sub("{}", sent) == _PLACEHOLDER.sub("{}", found):
        return _columns(one.names), _columns(other.names)  # the same text stands between the same parts
    return (lambda things: [one.fill(each) for each in things]), (lambda things: [other.fill(each) for each in things])


def _columns(names: Sequence[str]) -> Keys:
    """Return a function that gives the parts of keys as text, part by part and not thing by thing, which is faster."""
    parts = [(getter(name), itemgetter(name)) for name in names]

    def keys(things: Sequence[Any]) -> list[Any]:
        columns = [_column(things, get, pick) for get, pick in parts]
        if len(columns) == 1:
            return columns[0]
        whole = list(zip(*columns, strict=True))
        return [None if None in key else key for key in whole] if any(None in each for each in columns) else whole

    return keys


def _column(things: Sequence[Any], get: Getter, pick: Getter) -> list[Any]:
    try:
        picked = list(map(pick, things))
    except (KeyError, TypeError, IndexError):  # nested, or not there
        picked = []
    if set(map(type, picked)) == {str} and "" not in picked:
        return picked
    values = [get(each) for each in things]
    return [None if value is None or value == "" else str(value) for value in values]
