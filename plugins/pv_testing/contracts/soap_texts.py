"""Services whose operations know strings alone: arguments go as a text into one of them, and answers are texts as well.

Such a service says what it refuses in the text of a good answer, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pv_testing.core.errors import ResponseError
from pv_testing.core.reasons import Reason

Form = Literal["xml", "json"]


@dataclass(frozen=True, slots=True)
class Texts:
    """How a service of strings is spoken to.

    Attributes:
        form: what the texts are.
        to: the argument that takes the fields of a record; empty where they go as arguments of their own.
        item: the element of ``to`` that holds the text, where ``to`` is a list of anything; empty where it is the text.
        apart: the fields of ``query`` that are arguments of their own, where the others go into the text; else all are.
        root: the name of the outermost element of a text that is sent, of ``xml``.
        at: the element of the answer that holds the text; empty where the answer itself is the text.
        error: what the text of a refusal begins with; empty where a refusal has no text of its own.
        lists: elements of ``xml`` that may repeat; right below the outermost one, lists also where none is there.
        integers: elements of ``xml`` that are whole numbers, so that they equal what was sent; all others are text.
    """

    form: Form
    to: str = ""
    item: str = ""
    apart: tuple[str, ...] = ()
    root: str = "properties"
    at: str = ""
    error: str = ""
    lists: tuple[str, ...] = ()
    integers: tuple[str, ...] = ()

    def arguments(self, params: Mapping[str, Any], fields: Any) -> dict[str, Any]:
        """Return the arguments of a call.

        Args:
            params: what the contract's ``query`` says, each an argument of its own.
            fields: of the record.
        """
        inner = {name: value for name, value in params.items() if self.apart and name not in self.apart}
        fields = {**inner, **(fields or {})}
        own = {name: value for name, value in params.items() if name not in inner}
        if not self.to or not fields:
            return {**own, **fields}
        text = self._written(fields)
        return {**own, self.to: {self.item: [text]} if self.item else text}

    def read(self, answer: Any) -> Any:
        """Return what a text says; a refusal as ``{error: {message: …}}``.

        Args:
            answer: as the WSDL has it.

        Raises:
            ResponseError: there is no text, or it isn't what the contract says (``NOT_A_TEXT``).
        """
        text = answer.get(self.at) if self.at and isinstance(answer, Mapping) else answer
        if not isinstance(text, str):
            raise ResponseError(f"the answer has no text at {self.at or 'its top'}", code=Reason.NOT_A_TEXT)
        if self.error and text.startswith(self.error):
            return {"error": {"message": text.strip()}}
        try:
            return self._read_xml(text) if self.form == "xml" else json.loads(text)
        except (ValueError, SyntaxError, RecursionError) as error:
            message = f"the text of the answer isn't {self.form.upper()}"
            raise ResponseError(message, code=Reason.NOT_A_TEXT, excerpt=text) from error

    def _read_xml(self, text: str) -> Any:
        """Return a document by the names of its elements, without its outermost one; nothing in it is expanded."""
        from lxml import etree

        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        root = etree.fromstring(text.encode(), parser)
        if root.getroottree().docinfo.doctype:
            raise ValueError("has a document type")
        content = self._nested(root)
        return {**{name: [] for name in self.lists}, **(content if isinstance(content, Mapping) else {})}

    def _nested(self, element: Any) -> Any:
        """Return an element as text or number, or as a mapping by the names of those within."""
        inner: dict[str, list[Any]] = {}
        for child in element.iterchildren("*"):
            inner.setdefault(_name(child), []).append(self._nested(child))
        plain = {name: each if len(each) > 1 or name in self.lists else each[0] for name, each in inner.items()}
        text = (element.text or "").strip()
        return plain or (int(text) if text and _name(element) in self.integers else text)

    def _written(self, fields: Any) -> str:
        if self.form == "json":
            return json.dumps(fields, ensure_ascii=False)
        from lxml import etree

        root = etree.Element(self.root)
        _put(root, fields)
        return str(etree.tostring(root, encoding="unicode"))


def _put(parent: Any, fields: Mapping[str, Any]) -> None:
    """Write fields as elements; a list is an element repeated."""
    from lxml import etree

    for name, value in fields.items():
        for each in value if isinstance(value, list) else [value]:
            element = etree.SubElement(parent, name)
            if isinstance(each, Mapping):
                _put(element, each)
            elif each is not None:
                element.text = str(each).lower() if isinstance(each, bool) else str(each)


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
