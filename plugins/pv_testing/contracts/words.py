"""Vocabularies: the words of one side for the words of the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pv_testing.core.errors import MappingError
from pv_testing.core.reasons import Reason


@dataclass(frozen=True)
class Vocabulary:
    """A two-way list of words.

    Attributes:
        name: as the contract calls it.
        to_external: our word to theirs.
        to_internal: their word to ours.
        otherwise: our word for one of theirs that the contract doesn't list; empty where that is an error.
    """

    name: str
    to_external: Mapping[str, str]
    to_internal: Mapping[str, str]
    otherwise: str = ""
    _out: dict[str, str] = field(init=False, repr=False)
    _in: dict[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_out", {**_folded(self.to_external), **self.to_external})
        object.__setattr__(self, "_in", {**_folded(self.to_internal), **self.to_internal})

    def write(self, word: str) -> str:
        """Return the system's word for ours.

        Raises:
            MappingError: there is none.
        """
        known = self._out.get(word) or self._out.get(word.strip().casefold())
        if known is None:
            raise self._unknown(word, self.to_external)
        return known

    def read(self, word: str) -> str:
        """Return our word for the system's; upper and lower case are the same.

        Raises:
            MappingError: the contract neither lists the word nor gives another one for such a case.
        """
        known = self._in.get(word) or self._in.get(word.strip().casefold()) or self.otherwise
        if not known:
            raise self._unknown(word, self.to_internal)
        return known

    def _unknown(self, word: str, known: Mapping[str, str]) -> MappingError:
        words = ", ".join(known)
        return MappingError(f"unknown {self.name} {word[:60]!r}; known are {words}", code=Reason.STATUS_UNKNOWN)


def _folded(words: Mapping[str, str]) -> dict[str, str]:
    folded: dict[str, str] = {}
    for word, meaning in words.items():
        folded.setdefault(word.casefold(), meaning)
    return folded


def two_way(name: str, words: Mapping[str, str]) -> Vocabulary:
    """Return the vocabulary of a short list; where two of our words have one of theirs, the first stands for it."""
    back: dict[str, str] = {}
    for internal, external in words.items():
        back.setdefault(external, internal)
    return Vocabulary(name, dict(words), back)
