"""Reads YAML without surprises of its typing, and remembers the line of each key.

Plain data only. Values that YAML 1.1 and 1.2 read differently (``NO``, ``012``, ``12:30:45``, ``1e3``), and forms that
hide or multiply content (duplicate keys, merge keys, tags, exploding aliases) are refused with the remedy, because a
contract that is read wrongly changes records silently.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pv_testing.core.errors import ConfigError
from pv_testing.core.problems import Problem, refuse
from pv_testing.core.reasons import Reason

SIZE_LIMIT = 1024 * 1024
NODE_LIMIT = 20_000
DEPTH_LIMIT = 30
SHOWN = 60
Place = tuple["str | int", ...]

_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?")
# No two parts of a pattern may take the same characters one after the other: a long text would take for ever.
_TRAPS = (
    (re.compile(r"(?i)y|n|yes|no|on|off|true|false|null"), "some readers take it for a truth value or nothing"),
    (re.compile(r"[-+]?0[0-9_]+"), "some readers take it for an octal number"),
    (re.compile(r"0[xob][0-9a-fA-F_]+"), "some readers take it for a number"),
    (re.compile(r"[-+]?[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?"), "some readers take it for a number to the base of 60"),
    (
        re.compile(r"[-+]?(?:[0-9_]*|(?:[0-9][0-9_]*)?\.[0-9_]*)[eE][-+]?[0-9]+"),
        "some readers take it for text, some for a number",
    ),
    (re.compile(r"[-+]?(?=[0-9]+_)[0-9_]+(?:\.[0-9_]*)?"), "some readers take it for text, some for a number"),
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.)"), "some readers take it for text, some for a number"),
    (re.compile(r"(?i)[-+]?\.(?:inf|nan)"), "it is no number that a system accepts"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?"), "some readers take it for a date, some for text"),
)


@dataclass(frozen=True)
class Document:
    """A YAML file that has been read.

    Attributes:
        file: its name, for messages.
        value: its content.
        lines: the line, from 1, of each key and list item by its place.
        digest: SHA-256 of the bytes.
    """

    file: str
    value: Any
    lines: dict[Place, int] = field(repr=False)
    digest: str

    def problem(self, place: Place, text: str) -> Problem:
        """Return a problem at a place, with the line of the place or of the key around it."""
        around = next((place[:end] for end in range(len(place), 0, -1) if place[:end] in self.lines), ())
        return Problem(self.file, self.lines.get(around, 1), dotted(place), text)


def dotted(place: Place) -> str:
    """Return a place as a person writes it, such as ``maps.sample.from[0]``."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read_yaml(path: Path) -> Document:
    """Read a file.

    Raises:
        ConfigError: it can't be read, isn't YAML, or has a value that readers understand differently.
    """
    try:
        content = read_bounded(path)
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror or error}") from None
    return parse_yaml(content, str(path))


def read_bounded(path: Path) -> bytes:
    """Return the content of a file, whose size is known before more of it is read than the limit.

    Raises:
        ConfigError: it is larger (``FILE_TOO_LARGE``).
        OSError: it can't be read.
    """
    with path.open("rb") as stream:
        content = stream.read(SIZE_LIMIT + 1)
    _refuse_large(content, str(path))
    return content


def _refuse_large(content: bytes, file: str) -> None:
    if len(content) > SIZE_LIMIT:
        message = f"{file}: larger than {SIZE_LIMIT:,} bytes, which no contract or configuration is; see what it is"
        raise ConfigError(message, code=Reason.FILE_TOO_LARGE)


def parse_yaml(content: bytes, file: str) -> Document:
    """Read the content of a file.

    Args:
        content: UTF-8.
        file: its name, for messages.

    Raises:
        ConfigError: as :func:`read_yaml`.
    """
    import yaml

    _refuse_large(content, file)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        reader = _Reader(file, yaml.parse(content.decode("utf-8"), Loader=loader))
        value = reader.document()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: isn't UTF-8, see byte {error.start}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        refuse([Problem(file, mark.line + 1 if mark else 0, "", f"isn't YAML: {error.problem or error.context}")])
        raise
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: isn't YAML: {error}") from None
    refuse(reader.problems)
    return Document(file, value, reader.lines, hashlib.sha256(content).hexdigest())


class _Reader:
    """Turns parser events into values, lines and problems; never deeper nor larger than the limits."""

    def __init__(self, file: str, events: Iterator[Any]) -> None:
        self.file = file
        self.events = events
        self.lines: dict[Place, int] = {}
        self.problems: list[Problem] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0

    def document(self) -> Any:
        value = None
        documents = 0
        for event in self.events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    self._stop(event, "a second document in one file; make it a file of its own")
                value = self._value(next(self.events), ())
        return value

    def _value(self, event: Any, place: Place) -> Any:
        self.lines.setdefault(place, event.start_mark.line + 1)
        if len(place) > DEPTH_LIMIT:
            self._stop(event, f"nested deeper than {DEPTH_LIMIT} levels", place)
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self._alias(event, place)
        before = self._nodes
        self._count(event, place, 1)
        if event.tag is not None and event.tag != "!":
            self._note(event, place, f"the tag {event.tag!r} isn't plain data; leave it out")
        if kind == "ScalarEvent":
            value = self._scalar(event, place)
        else:
            value = self._mapping(place) if kind == "MappingStartEvent" else self._sequence(place)
        if event.anchor:
            self._anchors[event.anchor] = value, self._nodes - before
        return value

    def _alias(self, event: Any, place: Place) -> Any:
        if event.anchor not in self._anchors:
            self._stop(event, f"the alias *{event.anchor} stands for nothing, or for something around itself", place)
        value, size = self._anchors[event.anchor]
        self._count(event, place, size)
        return value

    def _count(self, event: Any, place: Place, size: int) -> None:
        self._nodes += size
        if self._nodes > NODE_LIMIT:
            self._stop(event, f"more than {NODE_LIMIT:,} values, aliases counted as what they stand for", place)

    def _mapping(self, place: Place) -> dict[str, Any]:
        content: dict[str, Any] = {}
        while type(event := next(self.events)).__name__ != "MappingEndEvent":
            if type(event).__name__ != "ScalarEvent":
                self._stop(event, "a key must be a word", place)
            key = event.value
            inner = (*place, key)
            if key == "<<":
                self._note(event, place, "merge keys (<<) hide what a mapping says; write the keys out")
            elif not event.style and (why := "it isn't text" if key in _WORDS else trap(key)):
                self._note(event, inner, f"quote the key {_shown(key)}: {why}")
            if key in content:
                first = self.lines[inner]
                self._note(event, inner, f"the key comes a second time; the first is in line {first}")
            self.lines[inner] = event.start_mark.line + 1
            content[key] = self._value(next(self.events), inner)
        return content

    def _sequence(self, place: Place) -> list[Any]:
        content: list[Any] = []
        while type(event := next(self.events)).__name__ != "SequenceEndEvent":
            content.append(self._value(event, (*place, len(content))))
        return content

    def _scalar(self, event: Any, place: Place) -> Any:
        text: str = event.value
        if event.style:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text) if len(text) < 19 else self._note(event, place, f"{_shown(text)} is too long; quote it")
        if _DECIMAL.fullmatch(text):
            return (
                float(text) if math.isfinite(float(text)) else self._note(event, place, f"{_shown(text)} is too large")
            )
        why = trap(text)
        return self._note(event, place, f"quote {_shown(text)} or write it plainly: {why}") if why else text

    def _note(self, event: Any, place: Place, text: str) -> None:
        self.problems.append(Problem(self.file, event.start_mark.line + 1, dotted(place), text))

    def _stop(self, event: Any, text: str, place: Place = ()) -> None:
        self._note(event, place, text)
        refuse(self.problems)


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")


def trap(text: str) -> str:
    """Return why an unquoted scalar is read differently by different readers, or nothing."""
    if text in _WORDS and text:
        return ""
    return next((why for pattern, why in _TRAPS if pattern.fullmatch(text)), "")
