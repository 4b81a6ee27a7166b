"""Texts of others on a terminal or in a log: characters that move the cursor or hide text are escaped."""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


def visible(text: str, *, lines: bool = False) -> str:
    """Return a text with each hidden character as an escape.

    A key that is shown so can be typed in a shell as ``$'…'``; therefore backslashes are doubled where anything is
    escaped.

    Args:
        text: of a system or a person.
        lines: whether its lines are meant and stay.
    """
    if text.isprintable():
        return text
    kept = frozenset("\n") if lines else frozenset()
    hidden = {each for each in set(text) - kept if unicodedata.category(each) in _HIDDEN}
    if not hidden:
        return text
    return "".join(_escaped(each) if each in hidden or each == "\\" else each for each in text)


def _escaped(character: str) -> str:
    point = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{point:02x}" if point < 0x80 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
