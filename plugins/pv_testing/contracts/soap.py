"""How a contract refers to a WSDL: each call names one of its operations where a REST contract has a path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_testing.contracts.soap_texts import Texts
from pv_testing.core.errors import ConfigError
from pv_testing.core.problems import Problem, allowed, refuse
from pv_testing.core.yaml_file import Document, Place

if TYPE_CHECKING:
    from pv_testing.contracts.wsdl import Port

_WITHIN = ("bulk", "find", "update")


def compile_soap(document: Document) -> Port | None:
    """Return the operations that a contract's WSDL has; ``None`` for a contract of REST.

    Args:
        document: the contract.

    Raises:
        ConfigError: a call has neither path nor operation, or the WSDL lacks what the contract names.
    """
    written = document.value.get("soap")
    refuse(_mixed(document, "path" if written is None else "soap"))
    if written is None:
        return None
    from pv_testing.contracts.wsdl import load_port

    wsdl = Path(document.file).parent / written["wsdl"]
    try:
        port = load_port(wsdl, written.get("service", ""), written.get("port", ""))
    except ConfigError as error:
        raise ConfigError(str(document.problem(("soap",), error.message)), code=error.code) from None
    refuse(_unknown(document, port))
    if "texts" in written:
        texts = written["texts"]
        several = {name: tuple(texts.get(name, ())) for name in ("apart", "lists", "integers")}
        port.texts = Texts(**{**texts, **several})
    if "credentials" in written:
        port.credentials = (written["credentials"]["username"], written["credentials"]["password"])
    return port


def calls(written: Mapping[str, Any]) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Give every call of a contract with its place."""
    if "identity" in written:
        yield ("identity",), written["identity"]
    for name, operation in written["operations"].items():
        if "files" in operation or "list_file" in operation:
            continue
        yield ("operations", name), operation
        for within in _WITHIN:
            if within in operation:
                yield ("operations", name, within), operation[within]


def _mixed(document: Document, wanted: str) -> Iterator[Problem]:
    for place, call in calls(document.value):
        if wanted not in call:
            yield document.problem(place, f"misses {wanted}")
        if wanted == "soap":
            for other in ("path", "method"):
                if other in call:
                    yield document.problem((*place, other), "has no meaning for SOAP")
            if call.get("answer") == "bytes":
                yield document.problem((*place, "answer"), "a SOAP operation answers with json or none")
        elif "soap" in call:
            yield document.problem((*place, "soap"), "the contract names no WSDL; add soap: {wsdl: FILE} to its head")


def _unknown(document: Document, port: Port) -> Iterator[Problem]:
    for place, call in calls(document.value):
        if call["soap"] not in port.operations:
            text = f"the WSDL has no operation {call['soap']!r}; {allowed(call['soap'], list(port.operations))}"
            yield document.problem((*place, "soap"), text)
