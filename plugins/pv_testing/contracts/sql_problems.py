"""Finds what is wrong with a contract of a database, so that no statement is refused when it is too late."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pv_testing.contracts.database import COMPARISONS, VERBS, compared
from pv_testing.contracts.fields import normal
from pv_testing.contracts.paths import Template
from pv_testing.core.problems import Problem, allowed
from pv_testing.core.yaml_file import Document, Place

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$#]{0,127}")
NO_NAME = "is no name of a table or column: a letter or _, then letters, digits, _, $ and #, 128 at the most"
READ_ONLY = "writes, and the contract only reads; say `writes: true` in its section sql if it may"
HOUR = 3600
SUMMER = (
    "{} has summer time, at whose end an hour comes twice: say an overlap of more than 3600 seconds, else what is "
    "written in that hour would be missed"
)
NO_KEY = "has no key: name the columns by which a row is found again, here or at its table"
_ELSEWHERE = ("path", "method", "soap")
_Columns = Mapping[str, Any]


def table_problems(document: Document) -> Iterator[Problem]:
    """Find names that are none, and keys and ids that aren't columns of their table."""
    head = document.value["sql"]
    yield from _names(document, ("sql", "schema"), [head["schema"]] if "schema" in head else [])
    yield from _zone(document, ("sql", "time_zone"), head)
    for name, table in head["tables"].items():
        place = ("sql", "tables", name)
        yield from _names(document, place, [name, *table["columns"]])
        for column, spec in table["columns"].items():
            if isinstance(spec, Mapping):
                yield from _zone(document, (*place, "columns", column), spec)
        named = [*table.get("key", ()), *([table["id"]] if "id" in table else [])]
        yield from _columns(document, place, named, table["columns"])


def call_problems(document: Document) -> Iterator[Problem]:
    """Find calls without a table, or with one that the contract doesn't have; then what else they refer to."""
    if "identity" in document.value:
        yield document.problem(("identity",), "has no meaning for a database, which says by itself who is asking")
    for name, spec in document.value["operations"].items():
        place = ("operations", name)
        problems = list(_call_problems(document, place, spec, VERBS))
        if "bulk" in spec:
            yield document.problem((*place, "bulk"), "has no meaning for a database; say `at_once` beside its table")
        for within, verbs in (("find", ("select",)), ("update", ("update", "upsert"))):
            if within in spec:
                problems += _call_problems(document, (*place, within), spec[within], verbs)
        yield from problems or _reference_problems(document, place, spec)


def _call_problems(
    document: Document, place: Place, call: Mapping[str, Any], verbs: Iterable[str]
) -> Iterator[Problem]:
    for other in _ELSEWHERE:
        if other in call:
            yield document.problem((*place, other), "has no meaning for a database")
    chosen = [verb for verb in VERBS if verb in call.get("sql", {})]
    if len(chosen) != 1 or chosen[0] not in verbs:
        yield document.problem((*place, "sql"), f"must say one of {', '.join(verbs)}, with a table")
    else:
        yield from _sql_problems(document, place, call["sql"], chosen[0])


def _sql_problems(document: Document, place: Place, sql: Mapping[str, Any], verb: str) -> Iterator[Problem]:
    tables = document.value["sql"]["tables"]
    if sql[verb] not in tables:
        yield document.problem(
            (*place, "sql", verb), f"there is no table {sql[verb]!r}; {allowed(sql[verb], [*tables])}"
        )
        return
    table = tables[sql[verb]]
    yield from _columns(document, (*place, "sql"), [*sql.get("key", ()), *sql.get("order", ())], table["columns"])
    if "changes" in sql:
        yield from _change_problems(document, (*place, "sql", "changes"), sql["changes"], table["columns"])
    if verb != "select" and not document.value["sql"].get("writes"):
        yield document.problem((*place, "sql", verb), READ_ONLY)
    if verb != "select" and not (sql.get("key") or table.get("key")):
        yield document.problem((*place, "sql"), NO_KEY)
    if verb != "insert" and ("lines" in sql or "at_once" in sql):
        yield document.problem((*place, "sql"), "lines and at_once are for insert")
    for name, line in sql.get("lines", {}).items():
        yield from _line_problems(document, (*place, "sql", "lines", name), line, table["columns"])


def _change_problems(
    document: Document, place: Place, changes: Mapping[str, Any], columns: _Columns
) -> Iterator[Problem]:
    yield from _columns(document, place, [changes["by"]], columns)
    spec = columns.get(changes["by"])
    kind = spec.get("type") if isinstance(spec, Mapping) else spec
    zone = spec.get("time_zone") if isinstance(spec, Mapping) else None
    name = zone or document.value["sql"].get("time_zone", "UTC")
    if kind == "datetime" and changes.get("overlap", 0) <= HOUR and _has_summer_time(name):
        yield document.problem(place, SUMMER.format(name))


def _has_summer_time(name: str) -> bool:
    zone = ZoneInfo(name)
    return len({datetime(2025, month, 1, tzinfo=zone).utcoffset() for month in (1, 4, 7, 10)}) > 1


def _line_problems(document: Document, place: Place, line: Mapping[str, Any], columns: _Columns) -> Iterator[Problem]:
    tables = document.value["sql"]["tables"]
    if line["insert"] not in tables:
        yield document.problem(place, f"there is no table {line['insert']!r}; {allowed(line['insert'], [*tables])}")
        return
    parent = line.get("parent", {})
    own = [*parent, *([line["number"]] if "number" in line else [])]
    yield from _columns(document, place, own, tables[line["insert"]]["columns"])
    yield from _columns(document, place, parent.values(), columns)


def _reference_problems(document: Document, place: Place, spec: Mapping[str, Any]) -> Iterator[Problem]:
    """Find fields of maps, stamps, look-ups and queries that aren't columns of the operation's tables."""
    sql = spec["sql"]
    verb = next(verb for verb in VERBS if verb in sql)
    tables = document.value["sql"]["tables"]
    columns, lines = tables[sql[verb]]["columns"], sql.get("lines", {})
    if verb == "select":
        yield from _query_problems(document, place, spec, columns)
    else:
        yield from _write_problems(document, place, spec, tables[sql[verb]], lines)
    if "find" in spec:
        there = tables[spec["find"]["sql"]["select"]]["columns"]
        yield from _query_problems(document, (*place, "find"), spec["find"], there)
        yield from _found_problems(document, (*place, "find"), spec["find"], there)
    for name, line in lines.items():
        yield from _list_problems(document, place, spec, name, line)


def _write_problems(
    document: Document, place: Place, spec: Mapping[str, Any], table: Mapping[str, Any], lines: Mapping[str, Any]
) -> Iterator[Problem]:
    targets = list(_map(document, spec))
    sent = [*targets, *spec.get("stamps", {})]
    yield from _columns(document, place, [each for each in sent if each not in lines], table["columns"])
    key = spec["sql"].get("key", table.get("key", ()))
    for each in key:
        if targets and each not in sent:
            yield document.problem((*place, "sql"), f"the key column {each!r} is never sent; {allowed(each, sent)}")


def _list_problems(
    document: Document, place: Place, spec: Mapping[str, Any], name: str, line: Mapping[str, Any]
) -> Iterator[Problem]:
    maps, tables = document.value.get("maps", {}), document.value["sql"]["tables"]
    fields = [normal(ours, each) for ours, each in maps.get(spec.get("map", ""), {}).items()]
    inner = next((each.get("each") for each in fields if each["to"] == name), None)
    if inner is None:
        text = f"no field of its map goes to {name!r} with `each`, so that there would never be a line"
        yield document.problem((*place, "sql", "lines", name), text)
    elif inner in maps:
        targets = [normal(ours, each)["to"] for ours, each in maps[inner].items()]
        yield from _columns(document, ("maps", inner), targets, tables[line["insert"]]["columns"])


def _query_problems(document: Document, place: Place, call: Mapping[str, Any], columns: _Columns) -> Iterator[Problem]:
    for ours, written in call.get("query", {}).items():
        here = (*place, "query", ours)
        if isinstance(written, Mapping) and "template" in written:
            yield document.problem(here, "a database takes values and no texts around them")
            continue
        column, comparison = compared(written.get("to", ours) if isinstance(written, Mapping) else written)
        yield from _columns(document, here, [column], columns)
        if comparison not in COMPARISONS:
            yield document.problem(here, f"{comparison!r} is no comparison; {allowed(comparison, COMPARISONS)}")
    each = call.get("keys", {}).get("each", {})
    asked = [each] if isinstance(each, str) else list(each)
    yield from _columns(document, (*place, "keys"), asked, columns)


def _found_problems(document: Document, place: Place, find: Mapping[str, Any], columns: _Columns) -> Iterator[Problem]:
    key = find["key"] if isinstance(find["key"], str) else find["key"]["found"]
    compare = find.get("in_effect", {})
    places = [spec if isinstance(spec, str) else spec.get("at", ours) for ours, spec in compare.items()]
    yield from _columns(document, place, [*Template.of(key).names, *places], columns)


def _map(document: Document, spec: Mapping[str, Any]) -> Iterator[str]:
    for ours, each in document.value.get("maps", {}).get(spec.get("map", ""), {}).items():
        yield normal(ours, each)["to"]


def _columns(document: Document, place: Place, names: Iterable[str], columns: _Columns) -> Iterator[Problem]:
    for name in names:
        if name not in columns:
            yield document.problem(place, f"there is no column {name!r}; {allowed(name, [*columns])}")


def _names(document: Document, place: Place, names: Iterable[str]) -> Iterator[Problem]:
    for name in names:
        if not IDENTIFIER.fullmatch(name):
            yield document.problem(place, f"{name[:40]!r} {NO_NAME}")


def _zone(document: Document, place: Place, written: Mapping[str, Any]) -> Iterator[Problem]:
    name = written.get("time_zone", "UTC")
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        yield document.problem(place, f"{name!r} is no time zone; write it like Europe/Berlin")
