"""XML records: no DOCTYPE, no entities, no network, and the encoding that the contract declares."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import Any

from pv_testing.contracts.files import FileFormat
from pv_testing.core.errors import SecurityError
from pv_testing.core.reasons import Reason
from pv_testing.transports.files.csv_reader import MARKS
from pv_testing.transports.files.rows import FileRow, unreadable

_ENCODING = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
FORBIDDEN = ("<!DOCTYPE", "<!ENTITY")


def xml_rows(content: bytes, form: FileFormat, where: str) -> Iterator[FileRow]:
    """Give the records within the outermost element; see :func:`~pv_testing.transports.files.rows.read_rows`.

    A record's elements are its fields: one with elements of its own is a mapping, one that comes several times a list.
    Attributes are fields whose names begin with ``@``; namespaces are left out.
    """
    from lxml import etree

    refuse_declarations(content, where)
    _refuse_encoding(content, form.encoding, where)
    parser = etree.iterparse(
        io.BytesIO(content), events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False,
        huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    depth, number = 0, 0
    try:
        for event, element in parser:
            if event == "start":
                if depth == 0:
                    _refuse_other(element, form, where)
                depth += 1
                continue
            depth -= 1
            if depth == 1:
                if _name(element) == form.record:
                    number += 1
                    yield FileRow(number, _record(element))
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise unreadable(where, f"is no XML: {error.msg}") from None


def refuse_declarations(content: bytes, where: str) -> None:
    """Return if XML declares no document type and no entities, in any encoding that libxml2 reads by itself.

    Raises:
        SecurityError: it does (``DOCTYPE``).
    """
    for word in FORBIDDEN:
        if any(word.encode(encoding) in content for encoding in ("ascii", "utf-16-le", "utf-16-be", "utf-32-le")):
            message = f"{where} has a document type or an entity, with which a file can reach others or explode"
            raise SecurityError(message, code=Reason.DOCTYPE)


def _refuse_encoding(content: bytes, declared: str, where: str) -> None:
    """Refuse a file that says another encoding than the contract; without a word of its own it is in UTF-8."""
    declaration = _ENCODING.match(content)
    mark = next((name for sign, name in MARKS.items() if content.startswith(sign)), "")
    named = mark or (declaration[1].decode() if declaration else "utf-8")
    try:
        same = codecs.lookup(named) == codecs.lookup(declared) or named.lower() == "us-ascii"
    except LookupError:
        same = False
    if not same:
        message = f"says that it is in {named[:40]}, and {declared} is declared; correct the one or the other"
        raise unreadable(where, message, Reason.WRONG_ENCODING)


def _refuse_other(root: Any, form: FileFormat, where: str) -> None:
    about = root.getroottree().docinfo
    if about.doctype or about.internalDTD is not None:
        raise SecurityError(f"{where} has a document type", code=Reason.DOCTYPE)
    if form.root and _name(root) != form.root:
        raise unreadable(where, f"begins with {_name(root)!r}, and {form.root!r} is declared", Reason.ROOT)


def _record(element: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {f"@{name.rpartition('}')[2]}": value for name, value in element.attrib.items()}
    for child in element:
        name, value = _name(child), _value(child)
        if name not in fields:
            fields[name] = value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    return fields


def _value(element: Any) -> Any:
    return _record(element) if len(element) or element.attrib else (element.text or "")


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
