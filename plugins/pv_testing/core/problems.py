"""What is wrong with a file, as one error that lists everything at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pv_testing.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        file: where.
        line: from 1; 0 where no line can be named.
        key: the dotted key.
        text: what is wrong and what is allowed.
    """

    file: str
    line: int
    key: str
    text: str

    def __str__(self) -> str:
        """Say it in one line that editors can jump to."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.text}" if self.key else f"{place}: {self.text}"


def refuse(problems: Iterable[Problem]) -> None:
    """Raise one error for all problems, in the order of their lines; return where there are none.

    Raises:
        ConfigError: there is at least one.
    """
    found = sorted(set(problems), key=lambda problem: (problem.file, problem.line, problem.key))
    if not found:
        return
    if len(found) == 1:
        raise ConfigError(str(found[0]))
    raise ConfigError(f"{len(found)} problems\n" + "\n".join(f"  {problem}" for problem in found))


def allowed(word: str, known: Sequence[str]) -> str:
    """Return what could have been meant by a word, and what is allowed.

    Args:
        word: what was written.
        known: what may be written.
    """
    close = get_close_matches(word, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(sorted(known)) or 'nothing'}"
