"""Ids that systems say: text or whole numbers. Anything else names no record, and is never kept as one's id."""

from __future__ import annotations

from typing import Any

from pv_testing.core.errors import AmbiguousOutcome, DataError
from pv_testing.core.reasons import Reason


def id_text(value: Any) -> str | None:
    """Return an id as text; empty where the system says none, and ``None`` where it is no id.

    Args:
        value: as the system says it; a truth value, a decimal, a list, an object or blank text is no id.
    """
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        return value if value.strip() else None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def unusable(value: Any) -> str:
    """Say why a value is no id."""
    return f"the id that the system says is neither text nor a whole number but {_kind(value)}"


def of_reply(value: Any, key: str) -> str:
    """Return the id in the answer to a write.

    Args:
        value: as the system says it.
        key: the business key of the record.

    Raises:
        AmbiguousOutcome: it is no id (``ID_UNUSABLE``), so that the record is looked up.
    """
    text = id_text(value)
    if text is None:
        raise AmbiguousOutcome(unusable(value), key=key, code=Reason.ID_UNUSABLE)
    return text


def of_found(value: Any, key: str) -> str:
    """Return the id of something that was found.

    Args:
        value: as the system says it.
        key: the business key of the record.

    Raises:
        DataError: it is no id (``ID_UNUSABLE``), so that the record waits for a person.
    """
    text = id_text(value)
    if text is None:
        message = f"{unusable(value)}: correct it there, or the path of the id in the contract"
        raise DataError(message, key=key, code=Reason.ID_UNUSABLE)
    return text


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "blank"
    kinds = {bool: "a truth value", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a number with decimals" if isinstance(value, float) else type(value).__name__)
