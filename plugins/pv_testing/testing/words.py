"""Checks that the system takes every word of the contract's vocabularies in a record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pv_testing.contracts.fields import normal
from pv_testing.core.errors import IntegrationError
from pv_testing.core.yaml_file import read_yaml
from pv_testing.testing.finding import WORDS
from pv_testing.testing.trial import ContractTrial, Findings

FROM = 100

Data = Mapping[str, Any]


class Word(NamedTuple):
    """One of our words in a record.

    Attributes:
        vocabulary: the name of the vocabulary that it goes through.
        word: ours.
        path: its place in our record: fields, and places of lists.
    """

    vocabulary: str
    word: str
    path: tuple[str | int, ...]


async def every_word(trial: ContractTrial) -> Findings:
    """Create one record for each word."""
    maps = read_yaml(Path(trial.setting.contract.file)).value.get("maps", {})
    name = trial.spec.map.name if trial.spec.map else ""
    every = list(_words(trial, maps, name, trial.record(FROM).data))
    refused = False
    for place, word in enumerate(every, start=FROM):
        data = _with(trial.record(place).data, word.path, word.word)
        before = trial.example.before(data)
        try:
            for each in [before, data] if before else [data]:
                item = trial.prepared(trial.example.of(each))
                await trial.send([item])
                trial.keep(item)
        except IntegrationError as error:
            refused = True
            key = f"vocabularies.{word.vocabulary}.{word.word}"
            yield trial.fails(WORDS, key, f"is refused in {item.key}: {error.message} [{error.code}]")
    if every and not refused:
        names = ", ".join(dict.fromkeys(word.vocabulary for word in every))
        yield trial.holds(WORDS, f"maps.{name}", f"the system takes every word of {names}")


def _words(
    trial: ContractTrial, maps: Mapping[str, Data], name: str, data: Data, path: tuple[str | int, ...] = ()
) -> Iterator[Word]:
    """Yield every word that can stand in a record, also in the records within it."""
    for ours, written in maps.get(name, {}).items():
        spec = normal(ours, written)
        field = spec["from"][0]
        if "vocabulary" in spec:
            known = trial.setting.contract.vocabularies[spec["vocabulary"]].to_external
            yield from (Word(spec["vocabulary"], word, (*path, field)) for word in known)
        elif "each" in spec and data.get(field):
            yield from _words(trial, maps, spec["each"], data[field][0], (*path, field, 0))


def _with(value: Any, path: tuple[str | int, ...], word: str) -> Any:
    """Return a copy of a record with a word at a path."""
    if not path:
        return word
    first, *rest = path
    if isinstance(first, int):
        return [_with(each, tuple(rest), word) if place == first else each for place, each in enumerate(value)]
    return {**value, first: _with(value.get(first), tuple(rest), word)}
