"""Compiles operations: requests, bulk forms, look-ups and what they compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pv_testing.contracts.bulk import Bulk
from pv_testing.contracts.fields import Shared
from pv_testing.contracts.files import compile_drop
from pv_testing.contracts.list_files import compile_list_file
from pv_testing.contracts.model import Find, Identity, OperationSpec
from pv_testing.contracts.pages import Pagination
from pv_testing.contracts.paths import Getter, Template, first, getter, key_pair, putter
from pv_testing.contracts.quoting import Quoted, has_placeholder
from pv_testing.contracts.request_template import Parameter, RequestTemplate, Values, as_text
from pv_testing.core.errors import MappingError, ResponseError
from pv_testing.core.reasons import Reason

_BODILESS = frozenset({"GET", "HEAD", "DELETE"})
_EMPTY: tuple[Any, ...] = (None, "", [], {})


def compile_call(
    written: Mapping[str, Any], shared: Shared, method: str = "GET", *, clears: bool = False
) -> RequestTemplate:
    """Compile a request.

    Args:
        written: its ``method``, ``path`` (or ``soap``), ``query``, ``fields`` and ``stamps``.
        shared: what it refers to.
        method: the method where it says none.
        clears: whether it sends ``null`` for those of its ``fields`` that a record hasn't.
    """
    method = written.get("method", method)
    query = written.get("query", {})
    templates = templates_of(query)
    parameters: dict[str, Parameter] = {}
    constants: dict[str, str] = {}
    for ours, spec in query.items():
        if isinstance(spec, Mapping) and "const" in spec:
            constants[spec.get("to", ours)] = as_text(spec["const"])
        elif ours not in templates:
            parameters[ours] = _parameter(ours, spec, shared)
    return RequestTemplate(
        method=method,
        path=Template.of(written["soap"] if "soap" in written else written["path"]),
        query=parameters,
        constants=constants,
        templates={target: Quoted.of(text) for target, text in templates.values()},
        fields=tuple(written["fields"]) if "fields" in written else None,
        stamps=tuple((putter(target), name) for target, name in written.get("stamps", {}).items()),
        has_body=method not in _BODILESS,
        clears=clears,
    )


def templates_of(query: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the parameter and the text of those entries of a query that put values of a record into a text."""
    templates: dict[str, tuple[str, str]] = {}
    for ours, spec in query.items():
        if isinstance(spec, Mapping) and "template" in spec:
            templates[ours] = spec.get("to", ours), spec["template"]
        elif has_placeholder(spec):
            templates[ours] = ours, spec
    return templates


def _parameter(ours: str, spec: Any, shared: Shared) -> Parameter:
    if isinstance(spec, str):
        return Parameter(spec, getter(ours))
    return Parameter(spec.get("to", ours), getter(ours), shared.vocabularies.get(spec.get("vocabulary", "")))


def compile_identity(written: Mapping[str, Any]) -> Identity:
    """Compile the request that asks a system who is asking."""
    known = written.get("known", {"at": written["who"]})
    get = getter(known["at"])
    if "equals" in known:
        wanted = known["equals"]
        return Identity(
            compile_call(written, Shared()), getter(written["who"]), lambda body: get(body) == wanted, known["at"]
        )
    return Identity(compile_call(written, Shared()), getter(written["who"]), lambda body: bool(get(body)), known["at"])


def compile_operation(
    name: str,
    written: Mapping[str, Any],
    shared: Shared,
    pagination: Pagination,
    maps: Mapping[str, Any] = MappingProxyType({}),
) -> OperationSpec:
    """Compile an operation.

    Args:
        name: as the contract calls it.
        written: its content.
        shared: vocabularies and maps of the contract.
        pagination: how listings come in pages unless the operation says otherwise.
        maps: the maps as they are written, whose order is that of the columns of a file.
    """
    by_files = {"path": "/", "method": "POST"} if "files" in written else {}
    by_files = {"path": "/"} if "list_file" in written else by_files
    method = "POST" if "soap" in written and "list" not in written else "GET"
    call = compile_call({**written, **by_files}, shared, method)
    update = written.get("update")
    pages = _pages(written, pagination) if "list" in written else None
    return OperationSpec(
        name=name,
        call=call,
        kind=written.get("kind", ""),
        map=shared.maps[written["map"]] if "map" in written else None,
        success=frozenset(written.get("success", ())),
        repeatable=written.get("repeatable"),
        answer=written.get("answer", "json"),
        reply_id=_any_of(written.get("reply", {}).get("id", "id")),
        says_id="id" in written.get("reply", {}) and written.get("answer", "json") == "json",
        pagination=pages,
        item_id=getter((pages or pagination).id),
        bulk=_bulk(written["bulk"], call, shared) if "bulk" in written else None,
        find=_find(written["find"], shared, pagination) if "find" in written else None,
        update=compile_call(update, shared, "PATCH", clears=True) if update else None,
        on_change=written.get("on_change", "update" if update else "ignore"),
        look_first=written.get("look_first", False),
        files=compile_drop(written, maps) if "files" in written else None,
        list_file=compile_list_file(written["list_file"]) if "list_file" in written else None,
    )


def _any_of(paths: str | list[str]) -> Getter:
    return first([paths] if isinstance(paths, str) else paths)


def _pages(written: Mapping[str, Any], pagination: Pagination) -> Pagination:
    listing = written["list"]
    return replace(pagination, **(listing if isinstance(listing, Mapping) else {"items": listing}))


def _bulk(written: Mapping[str, Any], single: RequestTemplate, shared: Shared) -> Bulk:
    sent_keys, said_keys = key_pair(*sides(written["key"])) if "key" in written else (None, None)
    return Bulk(
        call=compile_call(written, shared, single.method),
        size=written["size"],
        wrap=putter(written["to"]) if "to" in written else None,
        items=getter(written["items"]),
        status=getter(written["status"]) if "status" in written else None,
        id=_any_of(written.get("id", "id")),
        says_id="id" in written,
        sent_keys=sent_keys,
        said_keys=said_keys,
        ordered=written.get("ordered", False),
    )


def sides(key: str | Mapping[str, str]) -> tuple[str, str]:
    """Return a key's template over the request, and the one over the answer."""
    return (key, key) if isinstance(key, str) else (key["sent"], key["found"])


def _find(written: Mapping[str, Any], shared: Shared, pagination: Pagination) -> Find:
    keys = written.get("keys", {})
    sent, found = sides(written["key"])
    list_path = written.get("list", "")
    pages = _pages({"list": list_path}, pagination) if written.get("paged") else Pagination(items=list_path)
    return Find(
        call=compile_call({"path": "/", **written} if "listing" in written else written, shared),
        size=keys.get("size", 1),
        one_key=_key(keys["each"]) if keys else None,
        wrap=putter(keys["to"]) if "to" in keys else None,
        items=_listed(pages.items),
        pagination=pages,
        sent_key=Template.of_key(sent),
        found_key=Template.of_key(found),
        lists_all=written.get("broad", bool(list_path) and not keys and not written.get("query")),
        unique=written.get("unique", ""),
        id=_any_of(written.get("id", "id")),
        same=_same(written.get("in_effect", {}), _holds),
        equal=_same(written.get("in_effect", {}), _equals),
        listing=written.get("listing", ""),
    )


def _key(each: str | Mapping[str, str]) -> Callable[[Values], Any]:
    if isinstance(each, str):
        return getter(each)
    parts = [(target, getter(source)) for source, target in each.items()]
    return lambda payload: {target: get(payload) for target, get in parts}


def _listed(path: str) -> Callable[[Any], list[Values]]:
    """Return what finds the records in an answer; only a list that is there and empty says that there are none."""
    get = getter(path)

    def items(body: Any) -> list[Values]:
        records = get(body)
        if isinstance(records, Mapping):
            return [records]
        if isinstance(records, list) and all(isinstance(item, Mapping) for item in records):
            return records
        message = f"the answer to the look-up has no list of records at {path or 'its top'}"
        raise ResponseError(message, code=Reason.NO_LIST, excerpt=str(body))

    return items


def _same(written: Mapping[str, Any], alike: Callable[[Any, Any], bool]) -> Callable[[Values, Values], bool]:
    """Return the comparison of what was found with what was wanted, each field by ``alike``."""
    parts = [_comparison(ours, spec, alike) for ours, spec in written.items()]
    return lambda found, wanted: all(part(found, wanted) for part in parts)


def _comparison(
    ours: str, spec: str | Mapping[str, Any], alike: Callable[[Any, Any], bool]
) -> Callable[[Values, Values], bool]:
    path = spec if isinstance(spec, str) else spec.get("at", ours)
    get_wanted, get_found = getter(ours), getter(path)
    if isinstance(spec, str):
        return lambda found, wanted: alike(get_wanted(wanted), get_found(found))
    ranks = {word: place for place, word in enumerate(spec["order"])}
    known = {*ranks, *spec["others"]} if "others" in spec else None

    def reached(found: Values, wanted: Values) -> bool:
        word = str(get_found(found))
        if known is not None and word not in known:
            message = f"{path} is {word[:60]!r} there, which is in neither order nor others of the contract"
            raise MappingError(f"{message}; see what it means, and add it", code=Reason.STATUS_UNKNOWN)
        here, goal = ranks.get(word), ranks.get(str(get_wanted(wanted)))
        return here is not None and goal is not None and here >= goal

    return reached


def _holds(wanted: Any, found: Any) -> bool:
    """Say whether the system has all of the wanted value; it may add to it."""
    if wanted is None:
        return True
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return all(_holds(inner, found.get(name)) for name, inner in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_holds, wanted, found))
    return bool(wanted == found)


def _equals(wanted: Any, found: Any) -> bool:
    """Say whether the system has exactly the wanted value; an empty value counts as none."""
    if wanted in _EMPTY or found in _EMPTY:
        return wanted in _EMPTY and found in _EMPTY
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return all(_equals(wanted.get(name), found.get(name)) for name in {*wanted, *found})
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_equals, wanted, found))
    return bool(wanted == found)
