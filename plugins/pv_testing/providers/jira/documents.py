"""Atlassian's document format: from text to a document of paragraphs, and back to the text that people read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

BLOCKS = frozenset({"paragraph", "heading", "listItem", "blockquote", "codeBlock", "tableRow"})


def document(text: str) -> dict[str, Any]:
    """Return a document with a paragraph for each part between empty lines."""
    parts = [part for part in text.replace("\r\n", "\n").split("\n\n") if part.strip()]
    return {"type": "doc", "version": 1, "content": [_paragraph(part) for part in parts]}


def _paragraph(text: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for line in text.strip("\n").split("\n"):
        if content:
            content.append({"type": "hardBreak"})
        if line:  # a text node may not be empty
            content.append({"type": "text", "text": line})
    return {"type": "paragraph", "content": content}


def text_of(value: Any) -> str:
    """Return what a reader sees of a document, or of plain text, with an empty line between paragraphs."""
    if not isinstance(value, Mapping):
        return str(value or "")
    return "\n\n".join(part for part in _blocks(value) if part.strip())


def _blocks(node: Mapping[str, Any]) -> Iterator[str]:
    if node.get("type") in BLOCKS:
        yield _inline(node)
        return
    for inner in node.get("content") or ():
        yield from _blocks(inner)


def _inline(node: Mapping[str, Any]) -> str:
    if node.get("type") == "text":
        return str(node.get("text") or "")
    if node.get("type") == "hardBreak":
        return "\n"
    return "".join(_inline(inner) for inner in node.get("content") or ())
