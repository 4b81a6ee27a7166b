"""An invoice or a credit note as an EN 16931 e-invoice: a file that is valid before anyone sees it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from uuid import uuid4

from pv_testing.billing.cii import document
from pv_testing.billing.invoice import Invoice
from pv_testing.billing.tax import OUTSIDE, REVERSE_CHARGE
from pv_testing.billing.xsd import problems_of, validate
from pv_testing.core.errors import DataError
from pv_testing.domain.money import minor_digits

__all__ = ["einvoice", "file_of", "missing", "validate", "write"]

NAME_LIMIT = 100
MOST_DECIMALS = 2


def einvoice(invoice: Invoice, number: str = "") -> bytes:
    """Return an invoice as XML that is valid against the official XSD.

    Args:
        invoice: an invoice, or a credit note, which becomes one of type 381.
        number: as the customer is to know it; the service request's by default, for a credit note with the protocol.

    Raises:
        DataError: something is missing that the law wants (``EINVOICE_REFUSED``), or a sum is wrong (``SUM_WRONG``).
    """
    from lxml import etree

    _refuse(invoice.check(), missing(invoice))
    try:
        xml: bytes = document(invoice, number or _number(invoice)).serialize(schema=None)
    except (etree.XMLSyntaxError, ValueError):
        _refuse(invoice, ["a name or a note has a character that XML can't have"])
        raise
    _refuse(invoice, problems_of(xml))
    return xml


def write(invoice: Invoice, folder: str | Path, number: str = "") -> Path:
    """Write an invoice as XML and return the file; a reader never sees half of it, and writing again replaces it.

    Args:
        invoice: an invoice or a credit note.
        folder: where; it is made where it doesn't exist.
        number: as for :func:`einvoice`; the file is named by the service request in any job.

    Raises:
        DataError: as :func:`einvoice`.
    """
    xml = einvoice(invoice, number)
    target = Path(folder) / file_of(invoice)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{uuid4().hex}.part")
    try:
        beside.write_bytes(xml)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return target


def file_of(invoice: Invoice) -> str:
    """Return the name of the file of an invoice or a credit note."""
    return f"{_file_name(_number(invoice))}.xml"


def missing(invoice: Invoice) -> list[str]:
    """Say what keeps an invoice from becoming an e-invoice, by the keys of ``billing.yaml``."""
    seller, buyer, category = invoice.seller, invoice.buyer, invoice.tax.category
    customer = f"customers.{buyer.name}"
    needed = {
        "seller.name": seller.name,
        "seller.address": seller.address.country,
        f"{customer}.address": buyer.address.country,
        "seller.registration": seller.registration or category != OUTSIDE,
        "seller.vat_id": seller.vat_id or category == OUTSIDE,
        f"{customer}.vat_id": buyer.vat_id or category != REVERSE_CHARGE,
    }
    problems = [f"billing.yaml lacks {key}" for key, is_known in needed.items() if not is_known]
    if minor_digits(invoice.currency) > MOST_DECIMALS:
        problems.append(f"EN 16931 has no amounts of three decimals, as {invoice.currency} has them")
    return problems


def _number(invoice: Invoice) -> str:
    return f"{invoice.sr_number}-{invoice.lines[0].protocol_id}" if invoice.credit else invoice.sr_number


def _file_name(text: str) -> str:
    """Return a name of letters, digits, dots, ``_`` and ``-``; two texts never get the same one."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip(".")[:NAME_LIMIT]
    return safe if safe == text else f"{safe}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _refuse(invoice: Invoice, problems: list[str]) -> None:
    if problems:
        message = f"no e-invoice: {'; '.join(problems)}"
        raise DataError(message, system="erp", key=invoice.sr_number, code="EINVOICE_REFUSED")
