"""The problems of a file, as one error that lists all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pv_testing.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a file.

    Attributes:
        file: that has it.
        line: from 1; 0 where no line can be named.
        key: the dotted key.
        text: the mistake and the allowed values.
    """

    file: str
    line: int
    key: str
    text: str

    def __str__(self) -> str:
        """Return one line that editors can jump to."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.text}" if self.key else f"{place}: {self.text}"


def refuse(problems: Iterable[Problem]) -> None:
    """Raise one error for all problems, in the order of their lines; return where there are none.

    Raises:
        ConfigError: there is at least one.
    """
    unique = sorted(set(problems), key=lambda problem: (problem.file, problem.line, problem.key))
    if not unique:
        return
    if len(unique) == 1:
        raise ConfigError(str(unique[0]))
    raise ConfigError(f"{len(unique)} problems\n" + "\n".join(f"  {problem}" for problem in unique))


def allowed(word: str, known: Sequence[str]) -> str:
    """Return the nearest known word, and all allowed ones.

    Args:
        word: as it was written.
        known: the allowed words.
    """
    close = get_close_matches(word, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(sorted(known)) or 'nothing'}"
