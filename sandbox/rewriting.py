"""The faults that change a look-up before the work, or an answer after it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

import orjson

from sandbox.bulk import named
from sandbox.chance import chance

Shape = Literal["number", "text", "float", "list", "long", "taken"]

_PAGING = frozenset({"page", "limit"})
_DIGITS = re.compile(r"\d+")
_LONG = 6_000


def number_in(identity: str) -> int:
    """Return the first whole number in an id, 0 when it has none."""
    digits = _DIGITS.search(identity)
    return int(digits[0]) if digits else 0


_SHAPES: dict[Shape, Callable[[str], Any]] = {
    "number": number_in,
    "text": lambda identity: f"№ {number_in(identity)} ä?b",
    "float": lambda identity: number_in(identity) + 0.5,
    "list": lambda identity: [identity],
    "long": lambda identity: identity.ljust(_LONG, "x"),
    "taken": lambda identity: _DIGITS.sub(lambda digits: "1".zfill(len(digits[0])), identity, count=1),
}


def unfiltered(scope: MutableMapping[str, Any]) -> None:
    """Make a look-up the listing that it would be without its filter."""
    scope["method"] = "GET"
    scope["path"] = scope["path"].removesuffix("/search")
    scope["raw_path"] = scope["path"].encode()
    kept = [(name, value) for name, value in parse_qsl(scope["query_string"].decode("latin-1")) if name in _PAGING]
    scope["query_string"] = urlencode(kept).encode()


def with_odd_ids(body: bytes, shape: Shape) -> bytes:
    """Return an answer whose records have ids of another shape; one that is no JSON object stays as it is."""
    answer = _decoded(body)
    for record in _records(answer):
        if isinstance(record.get("id"), str):
            record["id"] = _SHAPES[shape](record["id"])
    return orjson.dumps(answer) if answer else body


def with_failed_items(body: bytes, status: int) -> bytes:
    """Return a bulk answer in which each second item, from the first on, is reported as failed."""
    answer = _decoded(body)
    results = answer.get("results", [])
    error = {"code": "SERVER_ERROR", "message": "Something went wrong on this side", "details": []}
    results[::2] = [{**named(item), "status": status, "error": error} for item in results[::2]]
    return orjson.dumps(answer) if answer else body


def shuffled(body: bytes, seed: int) -> bytes:
    """Return a bulk answer whose items come in another order, as from a system that works on several at a time."""
    answer = _decoded(body)
    results = answer.get("results", [])
    order = chance(seed)
    results.sort(key=lambda _: order.random())
    return orjson.dumps(answer) if answer else body


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _records(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the records of an answer: itself and the members of its lists."""
    yield answer
    for value in answer.values():
        if isinstance(value, list):
            yield from (each for each in value if isinstance(each, dict))
