"""What a setting's value may be where no schema has read it: in the arguments of a client and in a connection.

The text ``false`` would count as true, and so would allow what it is meant to forbid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_SWITCH = "True or False"


def wanted(name: str, value: Any) -> str:
    """Return what a setting must be, or nothing where its value is that.

    Args:
        name: the configuration's key.
        value: what was given for it.
    """
    fits, kind = _KINDS.get(name, _TEXT)
    return "" if fits(value) else kind


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _is_duration(value: Any) -> bool:
    return type(value) in {int, float} and math.isfinite(value) and value >= 0


def _is_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(part, str) and part for pair in value.items() for part in pair)


def _is_options(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(option, (str, int, float)) for name, option in value.items()
    )


def _is_file(value: Any) -> bool:
    return isinstance(value, (str, Path))


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, (str, list, tuple)) and all(isinstance(part, str) for part in value)


_TEXT = (_is_text, "text")
_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "allow_http": (_is_switch, _SWITCH),
    "bidirectional": (_is_switch, _SWITCH),
    "sync_interval": (_is_duration, "a number of seconds"),
    "mappings": (_is_texts, "a mapping of names to names"),
    "options": (_is_options, "a mapping of names to text, numbers or truth values"),
    "scopes": (_is_list_of_text, "text or a list of text"),
    **dict.fromkeys(("contract", "client_cert", "client_key", "ca_cert"), (_is_file, "text or a path")),
}
