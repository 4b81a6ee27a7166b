"""Files that a system writes for us: where they lie, how they look, and what their rows become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pv_testing.contracts.fields import FieldMap, Shared, compile_map, normal
from pv_testing.contracts.files import FileFormat, compile_format, format_problems
from pv_testing.contracts.paths import Template
from pv_testing.contracts.words import Vocabulary
from pv_testing.core.problems import Problem, allowed
from pv_testing.core.yaml_file import Document, Place

_KEPT = ("required", "type", "default", "max_length", "vocabulary")
NUMBERS = frozenset({"number", "integer", "decimal"})


@dataclass(frozen=True, slots=True)
class FileColumn:
    """One column of a file, or one field of a record.

    Attributes:
        name: as the file calls it.
        map: from the file's record to ours, of this column alone, so that an error is this column's.
        number: whether it is a number, for which the sign of decimals counts.
    """

    name: str
    map: FieldMap
    number: bool


@dataclass(frozen=True, slots=True)
class FileImport:
    """How files are imported.

    Attributes:
        name: as the contract calls it.
        folder: where they are dropped.
        pattern: of their names, such as ``*.csv``.
        form: how they look.
        columns: what of them is read.
        key: which record a row is: a template over our record.
        system: where the rows are carried to; empty where they are kept.
        operation: by which operation of that system.
        quiet: seconds for which a file must have been left alone before it is taken.
        max_bytes: the largest file that is read.
    """

    name: str
    folder: str
    pattern: str
    form: FileFormat
    columns: tuple[FileColumn, ...]
    key: Template
    system: str = ""
    operation: str = ""
    quiet: float = 2.0
    max_bytes: int = 64 * 2**20


def compile_imports(written: Mapping[str, Any], shared: Shared) -> dict[str, FileImport]:
    """Compile the section ``imports`` of a contract.

    Args:
        written: the contract.
        shared: its vocabularies, which are read from their words to ours.
    """
    return {name: _import(name, section, written, shared) for name, section in written.get("imports", {}).items()}


def _import(name: str, section: Mapping[str, Any], written: Mapping[str, Any], shared: Shared) -> FileImport:
    back = {each: _turned(vocabulary) for each, vocabulary in shared.vocabularies.items()}
    columns = [_column(ours, spec, back) for ours, spec in written["maps"][section["map"]].items()]
    carried = section.get("carry", {})
    known = {each: section[each] for each in ("quiet", "max_bytes") if each in section}
    return FileImport(
        name=name,
        folder=section["folder"],
        pattern=section["pattern"],
        form=compile_format(section["format"]),
        columns=tuple(columns),
        key=Template.of_key(section["key"]),
        system=carried.get("system", written["system"]) if carried else "",
        operation=carried.get("operation", ""),
        **known,
    )


def _turned(vocabulary: Vocabulary) -> Vocabulary:
    """Return a vocabulary that writes our words for theirs."""
    return Vocabulary(vocabulary.name, vocabulary.to_internal, vocabulary.to_external)


def _column(ours: str, spec: Any, vocabularies: Mapping[str, Vocabulary]) -> FileColumn:
    """Turn a field of a map around: its ``to`` is where the file has it, its name is what we call it."""
    field = normal(ours, spec)
    turned: dict[str, Any] = {name: field[name] for name in _KEPT if name in field}
    turned = {**turned, "to": field["from"][0], "from": [field["to"]]}
    mapped = compile_map(ours, {field["to"]: turned}, replace(Shared(), vocabularies=vocabularies))
    return FileColumn(field["to"], mapped, field.get("type", "") in NUMBERS)


def import_problems(document: Document) -> Iterator[Problem]:
    """Find imports that can't work: no such map, a key that no row has, a format that nothing reads."""
    maps, operations = document.value.get("maps", {}), document.value["operations"]
    for name, section in document.value.get("imports", {}).items():
        place: Place = ("imports", name)
        if section["map"] not in maps:
            yield document.problem(
                (*place, "map"), f"there is no map {section['map']!r}; {allowed(section['map'], list(maps))}"
            )
            continue
        yield from format_problems(document, (*place, "format"), section["format"])
        ours = [normal(*each)["from"][0] for each in maps[section["map"]].items()]
        names = Template.of(section["key"]).names
        if not names:
            yield document.problem((*place, "key"), "says the same of every row; name a field of ours")
        for each in names:
            if each not in ours:
                yield document.problem((*place, "key"), f"no row becomes {each!r}; {allowed(each, ours)}")
        carried = section.get("carry", {})
        own = carried.get("system", document.value["system"]) == document.value["system"]
        if carried and own and "kind" not in operations.get(carried["operation"], {}):
            text = f"there is no operation {carried['operation']!r} that carries records"
            yield document.problem((*place, "carry"), text)
