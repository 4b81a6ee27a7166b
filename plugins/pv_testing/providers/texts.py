"""Text that people read in a product: a description, and below it what the product has no field for, a line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pv_testing.core.records import Payload


def written(payload: Payload, field: str) -> Payload:
    """Return a payload in which one text holds all that is to be read.

    Args:
        payload: ``text`` in it maps labels to values, ``issues`` labels to ids of issues, which become links.
        field: the text itself, such as ``description``.
    """
    rest = dict(payload)
    for name in ("text", "issues", field):
        rest.pop(name, None)
    lines = [*_lines(payload.get("text", {})), *_lines(payload.get("issues", {}), link="#")]
    parts = [str(payload.get(field) or "").strip(), "\n".join(lines)]
    text = "\n\n".join(filter(None, parts))
    return {**rest, **({field: text} if text else {})}


def _lines(labelled: Mapping[str, Any], link: str = "") -> Iterator[str]:
    for label, value in labelled.items():
        words = _words(value, link)
        if words:
            yield f"* {label}: {words}"


def _words(value: Any, link: str = "") -> str:
    """Return a value in one line, because a line break would end the list."""
    if isinstance(value, Mapping):
        return ", ".join(_parts(value))
    if isinstance(value, (list, tuple)):
        return "; ".join(filter(None, [_words(each, link) for each in value]))
    text = " ".join(str(value).split()) if value is not None else ""
    return f"{link}{text}" if text else ""


def _parts(value: Mapping[str, Any]) -> Iterator[str]:
    for name, inner in value.items():
        words = _words(inner)
        if words:
            yield words if name == "description" else f"{name.replace('_', ' ')} {words}"


def same(ours: str | None, theirs: str | None) -> bool:
    """Say whether two texts are the same to a reader, however their lines end."""
    return _plain(ours) == _plain(theirs)


def _plain(text: str | None) -> str:
    return (text or "").replace("\r\n", "\n").strip()
