"""Records as XML, written as they come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any
from xml.sax.saxutils import escape

from pv_testing.core.cells import text_of
from pv_testing.core.errors import MappingError
from pv_testing.core.reasons import Reason
from pv_testing.transports.files.columns import has_any, texts

DECLARATION = b"<?xml version='1.0' encoding='UTF-8'?>\n"
_SIGNS = '&<>"\r\n\t'
_QUOTED = {'"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}


def markup(column: Sequence[Any]) -> Sequence[str]:
    """Return a column's cells as text that may stand in an element or in an attribute."""
    shown = texts(column)
    if not has_any(_SIGNS, "".join(shown)):
        return shown
    quoted = {text: escape(text, _QUOTED) for text in set(shown)}
    return [quoted[text] for text in shown]


def write_records(file: IO[bytes], records: Iterable[Mapping[str, Any]], root: str, name: str) -> None:
    """Write records whose fields may be mappings and lists; a list is its element once for each of its values.

    Args:
        file: where to.
        records: the records.
        root: the name of the outermost element.
        name: the name of a record's element.

    Raises:
        MappingError: a field's name is none that XML allows (``XML_NAME``).
    """
    from lxml import etree

    file.write(DECLARATION)
    with etree.xmlfile(file, encoding="UTF-8") as writer, writer.element(root):
        for record in records:
            writer.write(_element(name, record), pretty_print=True)


def _element(name: str, value: Any) -> Any:
    from lxml import etree

    try:
        element = etree.Element(name)
    except ValueError:
        raise MappingError(f"{name[:40]!r} can't be the name of an XML element", code=Reason.XML_NAME) from None
    if isinstance(value, Mapping):
        for inner, each in value.items():
            for one in each if isinstance(each, (list, tuple)) else [each]:
                element.append(_element(str(inner), one))
    else:
        element.text = text_of(value) or None
    return element
