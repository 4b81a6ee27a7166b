"""Operations that a system takes as files, and answers with files: how they look, where they lie, what they say."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pv_testing.contracts.fields import normal
from pv_testing.contracts.paths import Getter, Template, getter
from pv_testing.core.problems import Problem, allowed
from pv_testing.core.yaml_file import Document, Place

Kind = Literal["csv", "xlsx", "xml", "json"]
SEQUENCE = "{sequence}"
TABLES = frozenset({"csv", "xlsx"})


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How a file is written and read; nothing of it is guessed.

    Attributes:
        kind: ``csv``, ``xlsx``, ``xml`` or ``json``.
        encoding: of CSV, and the one that XML must declare.
        delimiter: between the cells of CSV.
        decimal: the sign before decimals in CSV, ``.`` or ``,``.
        sheet: the sheet of a workbook; empty for the only one.
        root: the outermost element of XML, or the field of a JSON object that has the list of records; empty for a
            bare list.
        record: the element of one record in XML.
        guarded: whether text that a spreadsheet could take for a formula has an apostrophe before it in CSV, which is
            written and taken away again here.
    """

    kind: Kind
    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: str = "."
    sheet: str = ""
    root: str = ""
    record: str = "Record"
    guarded: bool = True


@dataclass(frozen=True, slots=True)
class Answers:
    """How a system answers to a file.

    Attributes:
        folder: where its answers are.
        name: the name of the answer to a file, with ``{name}`` or ``{stem}`` of that file.
        form: how it looks.
        key: which record a row of it is about; equal to the key of what was sent.
        status: finds the word that says what became of the record.
        ok: the words for *took effect*.
        rejected: the words for *refused*; any other word is a matter for a person.
        reason: finds why.
        id: finds the record's id in the system.
        quiet: seconds for which an answer must stay as it is before it is believed, as it may be half written.
    """

    folder: str
    name: str
    form: FileFormat
    key: Template
    status: Getter
    ok: frozenset[str]
    rejected: frozenset[str]
    reason: Getter
    id: Getter
    quiet: float = 1.0

    def name_of(self, file: str) -> str:
        """Return the name of the answer to a file."""
        return self.name.replace("{name}", file).replace("{stem}", file.rpartition(".")[0])


@dataclass(frozen=True, slots=True)
class FileDrop:
    """How an operation is carried by files.

    Attributes:
        form: how a file looks.
        folder: where the system looks for it.
        name: its name, with ``{sequence}``.
        size: the most records in one.
        rows: the field whose list gives the rows of a table; empty for one row a record.
        columns: the headings of a table, in their order.
        key: which record a payload is.
        answers: how the system answers.
        wait: seconds for which a task itself waits for the answer.
        deadline: seconds after which a missing answer is a matter for a person.
        staging: where files are made ready.
        max_bytes: the largest answer that is read.
    """

    form: FileFormat
    folder: str
    name: str
    size: int
    rows: str
    columns: tuple[str, ...]
    key: Template
    answers: Answers
    wait: float = 20.0
    deadline: float = 86_400.0
    staging: str = "staging"
    max_bytes: int = 64 * 2**20


def compile_format(written: str | Mapping[str, Any]) -> FileFormat:
    """Compile a format: its name, or a mapping with ``type``."""
    if isinstance(written, str):
        return FileFormat(written)  # type: ignore[arg-type] # the schema has checked it
    return FileFormat(written["type"], **{name: value for name, value in written.items() if name != "type"})


def compile_drop(written: Mapping[str, Any], maps: Mapping[str, Any]) -> FileDrop:
    """Compile the section ``files`` of an operation.

    Args:
        written: the operation.
        maps: the field maps of the contract, as they are written.
    """
    files = written["files"]
    form = compile_format(files["format"])
    sent, found = _sides(files["key"])
    rows = files.get("rows", "")
    known = {name: files[name] for name in ("wait", "deadline", "staging", "max_bytes") if name in files}
    return FileDrop(
        form=form,
        folder=files["folder"],
        name=files["name"],
        size=files.get("size", 1),
        rows=rows,
        columns=tuple(_columns(written, maps, rows)) if form.kind in TABLES else (),
        key=Template.of_key(sent),
        answers=_answers(files["answers"], form, found),
        **known,
    )


def _answers(written: Mapping[str, Any], form: FileFormat, key: str) -> Answers:
    return Answers(
        folder=written["folder"],
        name=written["name"],
        form=compile_format(written["format"]) if "format" in written else replace(form, sheet=""),
        key=Template.of_key(key),
        status=getter(written["status"]),
        ok=frozenset(word.casefold() for word in written["ok"]),
        rejected=frozenset(word.casefold() for word in written["rejected"]),
        reason=getter(written.get("reason", "reason")),
        id=getter(written.get("id", "id")),
        quiet=written.get("quiet", 1.0),
    )


def _sides(key: str | Mapping[str, str]) -> tuple[str, str]:
    return (key, key) if isinstance(key, str) else (key["sent"], key["found"])


def _columns(written: Mapping[str, Any], maps: Mapping[str, Any], rows: str) -> Iterator[str]:
    """Give the headings of a table: the fields of the map in their order, and the stamps."""
    chosen = written.get("fields")
    for ours, spec in maps.get(written.get("map", ""), {}).items():
        field = normal(ours, spec)
        if rows and field["to"] == rows:
            yield from (normal(name, inner)["to"] for name, inner in maps[field["each"]].items())
        elif chosen is None or field["to"] in chosen:
            yield field["to"]
    yield from written.get("stamps", {})


def drop_file_problems(document: Document) -> Iterator[Problem]:
    """Find operations by files that can't work: no kind, no map, a key or rows that aren't sent, a repeated heading."""
    maps = document.value.get("maps", {})
    for name, written in document.value["operations"].items():
        if "files" not in written:
            continue
        place: Place = ("operations", name, "files")
        requests = () if "listing" in written.get("find", {}) else ("find",)
        for other in ("path", "method", "query", "bulk", "update", "reply", "list", *requests):
            if other in written:
                yield document.problem((*place[:2], other), "has no meaning for an operation by files")
        if "kind" not in written or written.get("map") not in maps:
            text = "needs kind and map beside it, for what is carried by files is kept in the ledger"
            yield document.problem(place, text)
            continue
        yield from _format_problems(document, place, written["files"])
        yield from _sent_problems(document, place, written, maps)


def _sent_problems(
    document: Document, place: Place, written: Mapping[str, Any], maps: Mapping[str, Any]
) -> Iterator[Problem]:
    files = written["files"]
    fields = {spec["to"]: spec for spec in (normal(*each) for each in maps[written["map"]].items())}
    if SEQUENCE not in files["name"]:
        yield document.problem((*place, "name"), "has no {sequence}, so that a file would replace another one")
    if not any(part in files["answers"]["name"] for part in ("{name}", "{stem}")):
        text = "has neither {name} nor {stem} of the file that it is about"
        yield document.problem((*place, "answers", "name"), text)
    names = Template.of(_sides(files["key"])[0]).names
    if not names:
        yield document.problem((*place, "key"), "says the same of every record; name a field of it")
    for each in names:
        if each not in {*fields, "key"} and each.split(".")[0] not in fields:
            yield document.problem((*place, "key"), f"nothing is sent as {each!r}; {allowed(each, list(fields))}")
    rows = files.get("rows", "")
    if rows and "each" not in fields.get(rows, {}):
        yield document.problem((*place, "rows"), "must name the field of a list, which the map makes by `each`")
        return
    columns = list(_columns(written, maps, rows))
    for each in sorted({column for column in columns if columns.count(column) > 1}):
        yield document.problem((*place, "rows"), f"two columns would be called {each!r}")


def _format_problems(document: Document, place: Place, files: Mapping[str, Any]) -> Iterator[Problem]:
    for where, written in ((place, files), ((*place, "answers"), files["answers"])):
        if "format" in written:
            yield from format_problems(document, (*where, "format"), written["format"])


def format_problems(document: Document, place: Place, written: str | Mapping[str, Any]) -> Iterator[Problem]:
    """Find what a format says that nothing reads, and an encoding that Python doesn't know."""
    if isinstance(written, str):
        return
    known = {
        "csv": {"encoding", "delimiter", "decimal", "guarded"},
        "xlsx": {"sheet"},
        "xml": {"encoding", "root", "record"},
        "json": {"root"},
    }[written["type"]]
    for name in written:
        if name not in {*known, "type"}:
            yield document.problem((*place, name), f"means nothing for {written['type']}")
    try:
        codecs.lookup(written.get("encoding", "utf-8"))
    except LookupError:
        yield document.problem((*place, "encoding"), "is no encoding; write it like utf-8 or cp1252")
    if written.get("delimiter", ",") == written.get("decimal", "."):
        yield document.problem((*place, "decimal"), "is the delimiter, so that no number could be read")
