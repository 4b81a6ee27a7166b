"""The operations of a SOAP service, as its WSDL describes them: from arguments to an envelope, and back.

The WSDL and what it imports are local files; nothing is ever fetched, and no document type is accepted.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from pv_testing.contracts.fault import nested, read_fault
from pv_testing.contracts.soap_texts import Texts
from pv_testing.core.errors import ConfigError, MappingError, ResponseError, redact
from pv_testing.core.problems import allowed
from pv_testing.core.reasons import Reason
from pv_testing.core.values import instant

FILE_BYTES = 4 * 2**20
ELSEWHERE = "it draws in {}; a schema must be inside the WSDL or in a file beside it"
_SHOWN = 200
_JSON_INTEGER = 2**63
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, RecursionError)


class Message(NamedTuple):
    """A request on its way.

    Attributes:
        headers: that say what it is.
        body: the envelope.
    """

    headers: Mapping[str, str]
    body: bytes


class Port:
    """The operations of a port; made by :func:`load_port`.

    Args:
        binding: zeep's binding of it.
        schema: the types of the WSDL.

    Attributes:
        operations: their names.
        texts: how what they carry is written into strings; ``None`` for a service with elements of its own.
        credentials: the arguments of each operation that take user name and password; ``None`` where none does.
    """

    def __init__(self, binding: Any, schema: Any) -> None:
        self._binding = binding
        self._schema = schema
        self.texts: Texts | None = None
        self.credentials: tuple[str, str] | None = None
        self.operations: Sequence[str] = tuple(binding.all())

    def message(self, operation: str, arguments: Mapping[str, Any]) -> Message:
        """Return the request for a call.

        Args:
            operation: its name in the WSDL.
            arguments: by the names of the elements.

        Raises:
            MappingError: they aren't what the WSDL asks for.
        """
        from lxml import etree

        known = self._binding.get(operation)
        try:
            written = known.create(**self._typed(arguments))
        except (_zeep("exceptions").Error, TypeError, ValueError, AttributeError) as error:
            reason = redact(str(error).partition(" Signature:")[0], _SHOWN)
            raise MappingError(f"the WSDL's {operation} can't carry it: {reason}", code=Reason.SOAP_ARGUMENTS) from None
        action = f'"{known.soapaction or ""}"'
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": action}
        if isinstance(self._binding, _zeep("wsdl.bindings").Soap12Binding):
            headers = {"Content-Type": f"application/soap+xml; charset=utf-8; action={action}"}
        return Message(headers, etree.tostring(written.content, xml_declaration=True, encoding="utf-8"))

    def _typed(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return arguments in which a text that stands for anything says that it is text."""
        texts = self.texts
        if texts is None or not texts.item or texts.to not in arguments:
            return arguments
        xsd = _zeep("xsd")
        typed = [xsd.AnyObject(xsd.String(), text) for text in arguments[texts.to][texts.item]]
        return {**arguments, texts.to: {texts.item: typed}}

    def answer(self, operation: str, content: bytes) -> Any:
        """Return what the system answered, as JSON knows it, or its fault.

        Args:
            operation: its name in the WSDL.
            content: the envelope.

        Raises:
            ResponseError: it is no envelope, or doesn't hold what the WSDL says (``NOT_SOAP``).
        """
        from lxml.etree import LxmlError

        output = self._binding.get(operation).output
        if not content and (output is None or output.body is None):
            return None
        try:
            envelope = _zeep("loader").parse_xml(content, None, settings=_settings())
            body = envelope.find("soap-env:Body", namespaces=self._binding.nsmap)
            if body is None:
                raise ValueError("has no SOAP body")
            fault = read_fault(body)
            return fault if fault is not None else self._content(operation, output, body)
        except (_zeep("exceptions").Error, LxmlError, *_UNREADABLE) as error:
            message = "the answer is not what the WSDL says; a proxy or another version may have answered"
            raise ResponseError(f"{message}: {redact(str(error), _SHOWN)}", code=Reason.NOT_SOAP) from None

    def _content(self, operation: str, output: Any, body: Any) -> Any:
        from lxml import etree

        if output is None or output.body is None:
            return None
        element, wanted = body[0], output.body.qname.localname
        if isinstance(output, _zeep("wsdl.messages").RpcMessage):
            wanted = f"{operation}Response"
        if etree.QName(element).localname != wanted:
            raise ValueError(f"{etree.QName(element).localname} instead of {wanted}")
        context = _zeep("xsd.context").XmlParserContext(settings=_settings())
        read = output.body.parse(element, self._schema, context=context)
        return _plain(_zeep("helpers").serialize_object(read, dict))


def load_port(path: Path, service: str = "", port: str = "") -> Port:
    """Read a WSDL.

    Args:
        path: the file.
        service: the service's name; not needed where there is only one.
        port: the port's name; not needed where there is only one.

    Raises:
        ConfigError: the file can't be used, or has no such service or port (``WSDL_UNUSABLE``).
    """
    from lxml.etree import LxmlError

    bindings = _zeep("wsdl.bindings")
    try:
        document = _zeep("wsdl").Document(str(path), _Files(path.resolve().parent), settings=_settings())
    except _zeep("exceptions").ExternalReferenceForbidden as error:
        raise _unusable(path, ELSEWHERE.format(error.url)) from None
    except (_zeep("exceptions").Error, LxmlError, OSError, *_UNREADABLE) as error:
        raise _unusable(path, getattr(error, "strerror", None) or str(error) or type(error).__name__) from None
    ports = _named(path, "service", document.services, service).ports
    binding = _named(path, "port", ports, port).binding
    if not isinstance(binding, (bindings.Soap11Binding, bindings.Soap12Binding)):
        raise ConfigError(f"{path}: this port isn't one of SOAP 1.1 or 1.2", code=Reason.WSDL_UNUSABLE)
    return Port(binding, document.types)


def _unusable(path: Path, reason: str) -> ConfigError:
    return ConfigError(f"{path}: can't be used as a WSDL: {redact(reason, _SHOWN)}", code=Reason.WSDL_UNUSABLE)


def _named(path: Path, what: str, known: Mapping[str, Any], name: str) -> Any:
    if name in known:
        return known[name]
    if not name and len(known) == 1:
        return next(iter(known.values()))
    raise ConfigError(f"{path}: has no {what} {name!r}; {allowed(name, list(known))}", code=Reason.WSDL_UNUSABLE)


def _zeep(name: str) -> Any:
    """Return a module of zeep, imported when first needed; its type hints are incomplete and partly wrong."""
    return import_module(f"zeep.{name}")


def _settings() -> Any:
    return _zeep("settings").Settings(
        forbid_dtd=True, forbid_entities=True, forbid_external=True, force_https=False, xml_huge_tree=False
    )


class _Files:
    """Hands zeep the files of a folder, bounded, and nothing else.

    Args:
        folder: where the WSDL is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, location: str) -> bytes:
        """Return a file."""
        path = Path(location).resolve()
        if not path.is_relative_to(self._folder):
            raise ValueError(ELSEWHERE.format(location))
        with path.open("rb") as file:
            content = file.read(FILE_BYTES + 1)
        if len(content) > FILE_BYTES:
            raise ValueError(f"{path.name} is larger than {FILE_BYTES:,} bytes")
        return content


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it, numbers of arbitrary precision as text with their digits."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if hasattr(value, "iterchildren"):
        return nested(value)
    is_json = value is None or isinstance(value, (str, bool, float))
    return value if is_json or (isinstance(value, int) and abs(value) < _JSON_INTEGER) else str(value)
