"""From a validated YAML document to a contract.

The schema has checked the shape; what remains are references between sections, checked here, and the compilation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pv_testing.contracts.calls import compile_identity, compile_operation
from pv_testing.contracts.drops import drop_problems, with_dropped, without_dropped
from pv_testing.contracts.fields import FieldMap, Shared, compile_map, normal
from pv_testing.contracts.files import drop_file_problems
from pv_testing.contracts.imports import compile_imports, import_problems
from pv_testing.contracts.kinds import kind_problems
from pv_testing.contracts.list_files import list_file_problems
from pv_testing.contracts.login import compile_login
from pv_testing.contracts.lookups import look_up_problems
from pv_testing.contracts.model import Contract, Limits, OperationSpec, RateLimit
from pv_testing.contracts.pages import Pagination
from pv_testing.contracts.proof import compile_proof
from pv_testing.contracts.rows import LISTING, compile_sample_rows, row_problems
from pv_testing.contracts.rules import compile_rules
from pv_testing.contracts.soap import compile_soap
from pv_testing.contracts.sql import compile_sql
from pv_testing.contracts.webhook import compile_webhook
from pv_testing.contracts.words import Vocabulary, two_way
from pv_testing.core.problems import Problem, allowed, refuse
from pv_testing.core.yaml_file import Document, Place

_NAME = re.compile(r"\$([a-z_]+)")


def compile_contract(document: Document, mappings: Mapping[str, str]) -> Contract:
    """Compile a contract that meets its schema.

    Args:
        document: the file.
        mappings: what the deployment calls otherwise than the contract does, such as ``status_field``.

    Raises:
        ConfigError: something refers to what isn't there.
    """
    names = _names(document, mappings)
    whole = replace(document, value=_substitute(document.value, names))
    refuse(drop_problems(whole))
    named, database = compile_sql(without_dropped(whole))
    written = named.value
    refuse(_references(named))
    refuse([*kind_problems(named), *row_problems(named), *look_up_problems(named)])
    refuse([*drop_file_problems(named), *list_file_problems(named), *import_problems(named)])
    soap = compile_soap(named)
    words = Shared(vocabularies(written), written.get("units", {}))
    maps = compile_maps(written.get("maps", {}), words)
    pagination = Pagination(**written.get("pagination", {}))
    shared = replace(words, maps=maps)
    operations: dict[str, OperationSpec] = {}
    for name, spec in written["operations"].items():
        operations[name] = compile_operation(name, spec, shared, pagination, written.get("maps", {}))
    sample_rows = compile_sample_rows(written)
    if sample_rows is not None:
        operations[LISTING] = replace(operations[LISTING], item_id=sample_rows.id)
    return Contract(
        name=Path(document.file).stem,
        file=document.file,
        digest=document.digest,
        system=written["system"],
        provider=written["provider"],
        title=written["title"],
        identity=compile_identity(written["identity"]) if "identity" in written else None,
        limits=_limits(written.get("limits", {})),
        pagination=pagination,
        idempotency_header=written.get("idempotency_header", ""),
        authentication=written.get("authentication", {}),
        login=compile_login(named),
        vocabularies=shared.vocabularies,
        maps=maps,
        operations=operations,
        units=shared.units,
        names=names,
        rules=compile_rules(written.get("errors", {})),
        heard=compile_maps(with_dropped(whole.value.get("maps", {})), words),
        sample_rows=sample_rows,
        soap=soap,
        database=database,
        webhook=compile_webhook(written["webhook"]) if "webhook" in written else None,
        proof=compile_proof(written["proof"]) if "proof" in written else None,
        imports=compile_imports(written, shared),
    )


def vocabularies(written: Mapping[str, Any]) -> dict[str, Vocabulary]:
    """Compile a contract's section ``vocabularies``."""
    return {name: _vocabulary(name, words) for name, words in written.get("vocabularies", {}).items()}


def _vocabulary(name: str, written: Mapping[str, Any]) -> Vocabulary:
    if not isinstance(written.get("out"), Mapping):
        return two_way(name, written)
    short = two_way(name, written["out"])
    return Vocabulary(name, short.to_external, written.get("in", short.to_internal), written.get("otherwise", ""))


def _limits(written: Mapping[str, Any]) -> Limits:
    rate = RateLimit(**written["rate"]) if "rate" in written else None
    return Limits(**{**written, "rate": rate})


def compile_maps(written: Mapping[str, Any], shared: Shared) -> dict[str, FieldMap]:
    """Compile field maps, those first that others use for the records within theirs."""
    maps: dict[str, FieldMap] = {}

    def compiled(name: str) -> None:
        if name not in maps:
            for inner in _inner_maps(written[name]):
                compiled(inner)
            maps[name] = compile_map(name, written[name], Shared(shared.vocabularies, shared.units, maps))

    for name in written:
        compiled(name)
    return maps


def _inner_maps(fields: Mapping[str, Any]) -> Iterator[str]:
    for spec in fields.values():
        if isinstance(spec, Mapping) and "each" in spec:
            yield spec["each"]


def _names(document: Document, mappings: Mapping[str, str]) -> dict[str, str]:
    offered = document.value.get("names", {})
    refuse(_unknown_names(document, [name for name in mappings if name not in offered], list(offered)))
    return {**offered, **mappings}


def _unknown_names(document: Document, unknown: Sequence[str], offered: Sequence[str]) -> Iterator[Problem]:
    line = document.lines.get(("names",), 0)
    for name in unknown:
        yield Problem(document.file, line, "names", f"has no {name!r}; {allowed(name, offered)}")


def _substitute(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _NAME.sub(lambda match: names.get(match[1], match[0]), value)
    if isinstance(value, list):
        return [_substitute(inner, names) for inner in value]
    if isinstance(value, dict):
        return {_substitute(key, names): _substitute(inner, names) for key, inner in value.items()}
    return value


def _references(document: Document) -> Iterator[Problem]:
    """Find what refers to something that the contract doesn't have."""
    written = document.value
    for name, fields in written.get("maps", {}).items():
        yield from _field_references(document, ("maps", name), fields)
        yield from _targets(document, ("maps", name), fields)
    yield from _circles(document)
    limits = _limits(written.get("limits", {}))
    if limits.attempt_timeout > limits.total_timeout:
        yield document.problem(
            ("limits", "attempt_timeout"), f"is longer than total_timeout, {limits.total_timeout:g} s"
        )
    maps = written.get("maps", {})
    for name, spec in written["operations"].items():
        if spec.get("map") is not None and spec["map"] not in maps:
            text = f"there is no map {spec['map']!r}; {allowed(spec['map'], list(maps))}"
            yield document.problem(("operations", name, "map"), text)
        for ours, parameter in spec.get("query", {}).items():
            if isinstance(parameter, Mapping):
                place = ("operations", name, "query", ours)
                yield from _reference(document, place, parameter, "vocabulary", "vocabularies")
        yield from _operation_problems(document, name, spec)
    for number, rule in enumerate(written.get("errors", {}).get("rules", [])):
        for name in rule.get("operations", ()):
            if name not in written["operations"]:
                text = f"there is no operation {name!r}; {allowed(name, list(written['operations']))}"
                yield document.problem(("errors", "rules", number, "operations"), text)


def _operation_problems(document: Document, name: str, spec: Mapping[str, Any]) -> Iterator[Problem]:
    if "{" in spec.get("bulk", {}).get("path", ""):
        yield document.problem(
            ("operations", name, "bulk", "path"), "can't have a placeholder, because the request carries many records"
        )
    if spec.get("kind") and "bulk" in spec and not any(spec["bulk"].get(key) for key in ("key", "ordered")):
        text = (
            "doesn't say which record an answer is about; add key, or `ordered: true` where the product promises that "
            "its answers come in the order of the records"
        )
        yield document.problem(("operations", name, "bulk"), text)
    if spec.get("kind") and not any(spec.get(key) for key in ("find", "repeatable", "person", "files")):
        text = (
            "a write that can't be looked up nor repeated leaves lost answers to a person; add find or `person: true`"
        )
        yield document.problem(("operations", name), text)
    if spec.get("kind") and not any(spec.get(key) for key in ("update", "on_change")):
        text = "doesn't say what becomes of a changed record; set on_change to update, amend or ignore"
        yield document.problem(("operations", name), text)


def _field_references(document: Document, place: Place, fields: Mapping[str, Any]) -> Iterator[Problem]:
    for ours, spec in fields.items():
        if not isinstance(spec, Mapping):
            continue
        here = (*place, ours)
        yield from _reference(document, here, spec, "vocabulary", "vocabularies")
        yield from _reference(document, here, spec, "each", "maps")
        if isinstance(spec.get("unit"), Mapping):
            yield from _reference(document, (*here, "unit"), spec["unit"], "in", "units")
            if spec.get("type") != "unit" and "unit_from" not in spec:
                yield document.problem(here, "misses unit_from: where the value's own unit is")


def _reference(document: Document, place: Place, spec: Mapping[str, Any], key: str, section: str) -> Iterator[Problem]:
    known = document.value.get(section, {})
    if key in spec and spec[key] not in known:
        text = f"there is nothing called {spec[key]!r} in {section}; {allowed(spec[key], list(known))}"
        yield document.problem((*place, key), text)


def _targets(document: Document, place: Place, fields: Mapping[str, Any]) -> Iterator[Problem]:
    """Find two fields that go to one place, or one that goes into another."""
    seen: dict[str, str] = {}
    for ours, spec in fields.items():
        target = normal(ours, spec)["to"]
        for other, owner in seen.items():
            if target == other or target.startswith(f"{other}.") or other.startswith(f"{target}."):
                yield document.problem((*place, ours), f"goes to {target!r}, where {owner} goes already")
        seen[target] = ours


def _circles(document: Document) -> Iterator[Problem]:
    maps = document.value.get("maps", {})

    def leads_to(name: str, goal: str, seen: frozenset[str]) -> bool:
        inner = [each for each in _inner_maps(maps.get(name, {})) if each not in seen]
        return goal in _inner_maps(maps.get(name, {})) or any(leads_to(each, goal, seen | {each}) for each in inner)

    for name in maps:
        if leads_to(name, name, frozenset()):
            yield document.problem(("maps", name), "contains itself")
