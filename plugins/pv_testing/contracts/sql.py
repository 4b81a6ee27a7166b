"""How a contract refers to a database: each call names a table where a REST contract has a path.

A contract of a database becomes one of requests: ``select`` a GET, ``insert`` a POST, ``update`` a PATCH and ``upsert``
a PUT, each with a path that stands for its statement. From there on it is compiled like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pv_testing.contracts.columns import TableColumn
from pv_testing.contracts.database import (
    AFTER,
    LIMIT,
    NEXT,
    ROWS,
    STATUS,
    VERBS,
    Changes,
    DatabaseSpec,
    Lines,
    Statement,
    TableSpec,
)
from pv_testing.contracts.fields import normal
from pv_testing.contracts.soap import calls
from pv_testing.contracts.sql_problems import call_problems, table_problems
from pv_testing.core.problems import refuse
from pv_testing.core.yaml_file import Document

METHODS: Mapping[str, str] = {"select": "GET", "insert": "POST", "update": "PATCH", "upsert": "PUT"}
PAGES = {"style": "cursor", "page": AFTER, "size": LIMIT, "page_size": 1000, "items": ROWS, "next": NEXT}
ERRORS: Mapping[str, Any] = {"code": "error.code", "reason": "error.message"}
NOT_DONE = (401, 403, 503)
"""Statuses after which a database has surely done nothing: its transaction was never committed."""
OVERLAP = 900.0


def compile_sql(document: Document) -> tuple[Document, DatabaseSpec | None]:
    """Return a contract whose calls are requests, and what they do in its database; ``None`` where it has none.

    Args:
        document: the contract.

    Raises:
        ConfigError: a call has no table, or names what the tables don't have.
    """
    head = document.value.get("sql")
    if head is None:
        refuse(
            document.problem((*place, "sql"), "the contract names no tables; add sql: {tables: …} to its head")
            for place, call in calls(document.value)
            if "sql" in call
        )
        return document, None
    refuse(table_problems(document))
    refuse(call_problems(document))
    tables = {name: _table(name, spec, head.get("time_zone", "UTC")) for name, spec in head["tables"].items()}
    statements: dict[str, Statement] = {}
    operations = {
        name: _requests(document.value, name, spec, tables, statements)
        for name, spec in document.value["operations"].items()
    }
    database = DatabaseSpec(
        head.get("schema", ""), head.get("writes", False), tables, statements, _all_changes(document.value)
    )
    errors = document.value.get("errors", {})
    value = {
        **document.value,
        "operations": operations,
        "pagination": {**PAGES, **document.value.get("pagination", {})},
        "errors": {**ERRORS, **errors, "not_processed": [*errors.get("not_processed", ()), *NOT_DONE]},
    }
    return replace(document, value=value), database


def _table(name: str, written: Mapping[str, Any], zone: str) -> TableSpec:
    columns = {column: _column(column, spec, zone) for column, spec in written["columns"].items()}
    return TableSpec(name, columns, tuple(written.get("key", ())), written.get("id", ""))


def _column(name: str, spec: str | Mapping[str, Any], zone: str) -> TableColumn:
    written: Mapping[str, Any] = {"type": spec} if isinstance(spec, str) else spec
    kind, length, digits = written.get("type", "text"), written.get("length", 0), written.get("digits", -1)
    return TableColumn(name, kind, length, digits, written.get("time_zone", zone))


def _requests(
    written: Mapping[str, Any],
    name: str,
    spec: Mapping[str, Any],
    tables: Mapping[str, TableSpec],
    statements: dict[str, Statement],
) -> dict[str, Any]:
    """Return an operation with requests in the place of its tables, and keep the statements that they stand for."""
    sql = spec["sql"]
    statement = _statement(sql, tables)
    own = {**spec, **_request(f"/{name}", statement, statements)}
    if statement.verb != "select" and statement.table.id:
        own.setdefault("reply", {"id": statement.table.id})
    if isinstance(own.get("list"), str):
        own["list"] = {"items": own["list"], "id": statement.table.id or "id"}
    if sql.get("changes"):
        own["query"] = {**spec.get("query", {}), "since": f"{sql['changes']['by']} >="}
    if "at_once" in sql:
        path = f"/{name}.bulk"
        statements[path] = statement
        bulk = {"path": path, "size": sql["at_once"], "to": ROWS, "items": ROWS, "status": STATUS, "ordered": True}
        number = {"id": statement.table.id} if statement.table.id else {}
        own["bulk"] = {**bulk, "stamps": spec.get("stamps", {}), **number}
    for within in ("find", "update"):
        if within in spec:
            inner = _statement(spec[within]["sql"], tables)
            own[within] = {**spec[within], **_request(f"/{name}.{within}", inner, statements)}
    if "find" in own and statement.table.id:
        own["find"].setdefault("id", statement.table.id)
    if "update" in own and "map" in spec:
        # Columns that a record has no value for any more are emptied; constants are what a row begins with.
        own["update"].setdefault("fields", list(_varying(written, spec["map"])))
    return own


def _request(path: str, statement: Statement, statements: dict[str, Statement]) -> dict[str, Any]:
    statements[path] = statement
    return {"path": path, "method": METHODS[statement.verb]}


def _statement(sql: Mapping[str, Any], tables: Mapping[str, TableSpec]) -> Statement:
    verb = next(verb for verb in VERBS if verb in sql)
    table = tables[sql[verb]]
    order = tuple(sql.get("order", ()))
    if "changes" in sql:
        order = (sql["changes"]["by"], *(each for each in order if each != sql["changes"]["by"]))
    last = (table.id,) if table.id else table.key
    lines = {name: _lines(spec, tables) for name, spec in sql.get("lines", {}).items()}
    return Statement(
        verb,
        table,
        tuple(sql.get("key", table.key)),
        (*order, *(each for each in last if each not in order)),
        lines,
    )


def _lines(line: Mapping[str, Any], tables: Mapping[str, TableSpec]) -> Lines:
    return Lines(tables[line["insert"]], line.get("parent", {}), line.get("number", ""))


def _varying(written: Mapping[str, Any], name: str) -> Iterator[str]:
    """Give the columns of a map whose values differ between records, lists of lines left out."""
    specs = [normal(ours, spec) for ours, spec in written["maps"][name].items()]
    yield from (spec["to"] for spec in specs if "const" not in spec and "each" not in spec)


def _all_changes(written: Mapping[str, Any]) -> dict[str, Changes]:
    changes = {name: spec["sql"]["changes"] for name, spec in written["operations"].items() if "changes" in spec["sql"]}
    return {name: Changes(each["by"], float(each.get("overlap", OVERLAP))) for name, each in changes.items()}
