"""Query parameters with values of a record in a text of the system's own query language.

Each value is quoted by a rule, so that no serial number can say more in the query than itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pv_testing.contracts.paths import Getter, getter
from pv_testing.core.errors import MappingError
from pv_testing.core.problems import allowed
from pv_testing.core.reasons import Reason

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)(?:\|([a-z]*))?\}")
_LOOKS_LIKE_ONE = re.compile(r"\{\s*[A-Za-z_][^{}]*\}")
_PLAIN = re.compile(r"[\w ./:@+-]*")
_UNQUOTABLE = re.compile(r"[\\\x00-\x1f\x7f]")


def _sql(value: str) -> str:
    """Double the quote; some systems read a backslash as an escape, so that none may come."""
    if _UNQUOTABLE.search(value):
        raise _refused(value, "sql")
    return value.replace("'", "''")


def _json(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1]


def _plain(value: str) -> str:
    if not _PLAIN.fullmatch(value):
        raise _refused(value, "plain")
    return value


def _refused(value: str, rule: str) -> MappingError:
    return MappingError(f"{value[:60]!r} has characters that the rule {rule} can't quote", code=Reason.NOT_QUOTABLE)


RULES: Mapping[str, Callable[[str], str]] = {"sql": _sql, "json": _json, "plain": _plain}


@dataclass(frozen=True, slots=True)
class Quoted:
    """A text with ``{field|rule}`` in it.

    Attributes:
        text: as it was written.
        names: the fields in their order, each a dotted path.
    """

    text: str
    names: tuple[str, ...]
    _parts: tuple[tuple[Getter, Callable[[str], str], str], ...]
    _start: str

    @classmethod
    def of(cls, text: str) -> Quoted:
        """Compile a text without :func:`faults`."""
        start, *pieces = _PLACEHOLDER.split(text)
        names = tuple(pieces[0::3])
        parts: list[tuple[Getter, Callable[[str], str], str]] = []
        for name, rule, literal in zip(names, pieces[1::3], pieces[2::3], strict=True):
            parts.append((getter(name), RULES.get(rule or "", str), literal))
        return cls(text, names, tuple(parts), start)

    def fill(self, values: Mapping[str, Any]) -> str | None:
        """Return the text with its values quoted; ``None`` where there is none of them.

        Raises:
            MappingError: there are only some, or one can't be quoted.
        """
        text = self._start
        missing: list[str] = []
        for name, (get, quote, literal) in zip(self.names, self._parts, strict=True):
            value = get(values)
            if value is None or value == "":
                missing.append(name)
            else:
                text += quote(str(value)) + literal
        if len(missing) == len(self.names):
            return None
        if missing:
            raise MappingError(f"{self.text}: no value for {', '.join(missing)}", code=Reason.FIELD_MISSING)
        return text


def has_placeholder(text: Any) -> bool:
    """Say whether a text looks as if a field of a record was meant to be put into it."""
    return isinstance(text, str) and bool(_LOOKS_LIKE_ONE.search(text))


def faults(text: str) -> Iterator[str]:
    """Give each reason why :class:`Quoted` can't compile a text."""
    if "{" in _PLACEHOLDER.sub("", text) or "}" in _PLACEHOLDER.sub("", text) or not _PLACEHOLDER.search(text):
        yield "has braces around something else than a field, or no field at all; write {field|rule}"
    whole = _PLACEHOLDER.fullmatch(text) is not None
    for name, rule in _PLACEHOLDER.findall(text):
        if rule and rule not in RULES:
            yield f"{{{name}|{rule}}}: no such rule of quoting; {allowed(rule, list(RULES))}"
        elif not rule and not whole:
            yield f"{{{name}}} needs a rule of quoting, as in {{{name}|sql}}; rules: {', '.join(sorted(RULES))}"
