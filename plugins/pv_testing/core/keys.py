"""Business keys of several parts, such as ``SR-2025-0123/SN001``: composed and split here alone.

Parts are joined by ``/``. A part that holds a ``/`` or a ``%`` has them escaped as ``%2F`` and ``%25``, so that no two
lists of parts have the same key: request ``SR-1`` with module ``2/SN001`` is ``SR-1/2%2FSN001``, request ``SR-1/2``
with module ``SN001`` is ``SR-1%2F2/SN001``. Any other part stands in a key as it is.
"""

from __future__ import annotations

SEPARATOR = "/"
_ESCAPE = "%"
_ESCAPED_SEPARATOR, _ESCAPED_ESCAPE = "%2F", "%25"


def compose(first: str, *rest: str) -> str:
    """Return the key of some parts; other parts never have the same.

    Args:
        first: of a record of a service request, its number.
        *rest: further parts, such as a module's serial number.
    """
    return SEPARATOR.join(_escaped(part) for part in (first, *rest))


def below(key: str, first: str, *rest: str) -> str:
    """Return the key of a record that belongs to another one.

    Args:
        key: the key of that record.
        first: the part to add.
        *rest: further parts.
    """
    return f"{prefix(key)}{compose(first, *rest)}"


def prefix(key: str) -> str:
    """Return the beginning that the keys of all records below a record share, and no other key has."""
    return f"{key}{SEPARATOR}"


def split(key: str) -> tuple[str, ...]:
    """Return the parts of a key, the inverse of ``compose``."""
    return tuple(_plain(part) for part in key.split(SEPARATOR))


def above(key: str) -> str:
    """Return the key of the record that another one belongs to; empty where it has one part."""
    return key.rpartition(SEPARATOR)[0]


def _escaped(part: str) -> str:
    return part.replace(_ESCAPE, _ESCAPED_ESCAPE).replace(SEPARATOR, _ESCAPED_SEPARATOR)


def _plain(part: str) -> str:
    return part.replace(_ESCAPED_SEPARATOR, SEPARATOR).replace(_ESCAPED_ESCAPE, _ESCAPE)
