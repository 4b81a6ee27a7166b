"""Says what is wrong with a value, in the words of the JSON Schema that describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pv_testing.core.problems import allowed

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}


def wording(keyword: str, schema: Mapping[str, Any], value: Any, detail: str, *, show: bool = True) -> str:
    """Return what is wrong with a value.

    Args:
        keyword: JSON Schema's word for the rule that the value breaks, such as ``type`` or ``pattern``.
        schema: what describes the value.
        value: what was written.
        detail: what is said of a rule that has no words here; of a range, which limit was passed.
        show: whether the value may be shown; its type is named otherwise.
    """
    if keyword == "type":
        return f"must be {kind(schema)}, not {shown(value) if show else type(value).__name__}"
    if keyword == "required":
        return f"misses {', '.join(name for name in schema['required'] if name not in value)}"
    seen = f"{shown(value)} " if show else ""
    if keyword in {"enum", "const"}:
        words = [str(word) for word in schema.get("enum", [schema.get("const")])]
        return f"{seen}is unknown; {allowed(str(value) if show else '', words)}"
    if keyword == "pattern":
        return f"{seen}must be {schema.get('description') or 'like ' + schema['pattern']}"
    if keyword in {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}:
        return f"{seen}is out of range: {detail}"
    return detail[:200]


def kind(schema: Mapping[str, Any]) -> str:
    """Return which types of value a schema allows, such as ``text or a list of text``."""
    if "anyOf" in schema:
        return " or ".join(kind(branch) for branch in schema["anyOf"])
    kinds = schema.get("type", ())
    words = [_KINDS[each] for each in ([kinds] if isinstance(kinds, str) else kinds)]
    items = schema.get("items", {}).get("type")
    return " or ".join(words) + (f" of {_KINDS[items]}" if isinstance(items, str) else "")


def shown(value: Any) -> str:
    """Return a value as a message shows it: as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"
