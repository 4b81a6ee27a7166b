"""Compiles the login that a contract describes, ``authentication.login``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pv_testing.contracts.paths import getter
from pv_testing.contracts.rules import compile_rule
from pv_testing.core.problems import Problem, allowed, refuse
from pv_testing.core.response import Response
from pv_testing.core.yaml_file import Document, Place

PLACE: Place = ("authentication", "login")
KNOWN = ("username", "password")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Login:
    """How a product is logged in to.

    Attributes:
        method: in capitals.
        path: relative to the base address.
        body: makes the body of a user name and a password.
        form: whether the body is sent as a form; as JSON otherwise.
        token: finds the token in the answer.
        place: where that is, for messages.
        header: the header that carries the token.
        value: its value, with ``{token}``.
        lifetime: finds the token's lifetime in the answer, in seconds.
        refuses: says whether the answer refuses the login, whatever its status.
    """

    method: str
    path: str
    body: Callable[[str, str], dict[str, Any]]
    form: bool
    token: Callable[[Response], Any]
    place: str
    header: str
    value: str
    lifetime: Callable[[Response], Any]
    refuses: Callable[[Response], bool]


def compile_login(document: Document) -> Login | None:
    """Return the login that a contract describes; ``None`` where it describes none.

    Args:
        document: the contract.

    Raises:
        ConfigError: the login is described in a way that can't work.
    """
    written = document.value.get("authentication", {}).get("login")
    if written is None:
        return None
    refuse(_problems(document, written))
    token, refused = written["token"], written.get("refused", [])
    rules = [compile_rule({**each, "verdict": "authentication"}) for each in _listed(refused)]
    return Login(
        method=written.get("method", "POST"),
        path=written["path"],
        body=lambda username, password: _filled(written["body"], {"username": username, "password": password}),
        form=written.get("form", False),
        token=_token_getter(token),
        place=token if isinstance(token, str) else f"the header {token['header']}",
        header=written.get("header", "Authorization"),
        value=written.get("value", "Bearer {token}"),
        lifetime=_lifetime(written.get("lifetime")),
        refuses=lambda response: any(rule.meets(response) for rule in rules),
    )


def _listed(refused: Any) -> list[Mapping[str, Any]]:
    return list(refused) if isinstance(refused, list) else [refused]


def _token_getter(token: str | Mapping[str, str]) -> Callable[[Response], Any]:
    """Return what finds the token in a body or in a header."""
    if isinstance(token, str):
        get = getter(token)
        return lambda response: get(response.json())
    name = token["header"]
    return lambda response: response.headers.get(name)


def _lifetime(written: float | str | None) -> Callable[[Response], Any]:
    if isinstance(written, str):
        get = getter(written)
        return lambda response: get(response.json())
    return lambda _: written


def _filled(value: Any, given: Mapping[str, str]) -> Any:
    """Return a body with its placeholders filled, each once: no value is read as a placeholder."""
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda match: given[match[1]], value)
    if isinstance(value, Mapping):
        return {name: _filled(inner, given) for name, inner in value.items()}
    return [_filled(inner, given) for inner in value] if isinstance(value, list) else value


def _problems(document: Document, written: Mapping[str, Any]) -> Iterator[Problem]:
    if "{" in written["path"]:
        text = "can't have a placeholder: logs keep addresses, and credentials don't belong there"
        yield document.problem((*PLACE, "path"), text)
    named: set[str] = set()
    for place, text in _texts(written["body"], (*PLACE, "body")):
        for name in _PLACEHOLDER.findall(text):
            named.add(name)
            if name not in KNOWN:
                yield document.problem(place, f"nothing is called {{{name}}} here; {allowed(name, KNOWN)}")
    if "password" not in named:
        yield document.problem(
            (*PLACE, "body"), "has no {password}, so that the login would not prove who asks; put {password} into it"
        )
    if written.get("form") and any(isinstance(value, (Mapping, list)) for value in written["body"].values()):
        yield document.problem((*PLACE, "body"), "a form has no nested values; send it as JSON or write it flat")
    if _PLACEHOLDER.findall(written.get("value", "{token}")) != ["token"]:
        yield document.problem((*PLACE, "value"), "must name {token} once and nothing else, as in `Bearer {token}`")


def _texts(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """Give every text of a body with its place."""
    if isinstance(value, str):
        yield place, value
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in parts:
        yield from _texts(inner, (*place, name))
