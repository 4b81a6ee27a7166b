"""Invoices and credit notes as an ERP has them, read by the contract's maps, and compared with what was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from pv_testing.contracts.fields import FieldMap
from pv_testing.contracts.model import Contract
from pv_testing.core.errors import ResponseError
from pv_testing.core.reasons import Reason

SETTLED = frozenset({"POSTED", "PAID"})
NUMBERS = frozenset({"decimal", "number", "integer"})
OWN_DEFAULT = frozenset({"due_date", "currency"})
"""What the ERP fills in where a record doesn't say it."""
CENTS = 2
AMOUNTS = ("subtotal", "tax", "total")
TEXTS = ("number", "customer_id", "customer", "currency", "po_number", "notes")


@dataclass(frozen=True)
class Document:
    """An invoice or a credit note in an ERP.

    Attributes:
        id: its id there.
        reference: the business key that it carries.
        status: ``DRAFT``, ``POSTED``, ``PAID`` or ``CANCELLED``.
        amounts: subtotal, tax and total, as far as the ERP says them; positive, of a credit note too.
        fields: what the maps read of it, in our words.
        row: as the ERP says it.
        word: the contract's word for the status, which clients read.
    """

    id: str
    reference: str
    status: str
    amounts: Mapping[str, Decimal]
    fields: Mapping[str, Any]
    row: Mapping[str, Any]
    word: str = ""

    @property
    def name(self) -> str:
        """Return how people know it: by its number, else by its id."""
        return str(self.fields.get("number") or self.id)

    def described(self) -> dict[str, Any]:
        """Return it in the words of every ERP contract, with amounts as text."""
        fields = self.fields
        days = {name: day(fields.get(name)) for name in ("invoice_date", "due_date")}
        return {
            "id": self.id,
            "invoice_id": self.id,
            "external_id": self.reference,
            "reference": self.reference,
            "status": self.word,
            **{name: str(fields.get(name) or "") for name in TEXTS},
            **days,
            **{name: _with_cents(amount) for name, amount in self.amounts.items()},
        }


def document(contract: Contract, written: FieldMap, state: FieldMap, row: Mapping[str, Any]) -> Document:
    """Read what an ERP says of an invoice or a credit note.

    Args:
        contract: has the words of a status.
        written: the map by which it is written.
        state: the map of what only the ERP says: ``id``, ``number``, ``status`` and the amounts.
        row: as the ERP says it.

    Raises:
        ResponseError: it has no id, or an amount that is no number.
        MappingError: the contract doesn't know its status.
    """
    fields = {**written.back(row), **state.back(row)}
    if fields.get("id") in {None, ""}:
        raise ResponseError("the ERP's answer names no id of the invoice", code=Reason.ID_MISSING, excerpt=str(row))
    words = contract.vocabularies["invoice_status"]
    status = words.read(str(fields.get("status")))
    amounts = {name: abs(_decimal(name, fields[name])) for name in AMOUNTS if fields.get(name) not in {None, ""}}
    word = words.write(status)
    return Document(str(fields["id"]), str(fields.get("key") or ""), status, amounts, fields, row, word)


def differences(contract: Contract, written: FieldMap, payload: Mapping[str, Any], there: Document) -> list[str]:
    """Return the fields in which a document isn't what was wanted; amounts that the ERP computes are compared apart.

    Args:
        contract: has the maps of lines.
        written: the map by which it is written.
        payload: as it is to be written.
        there: as it is.
    """
    wanted = written.back(payload)
    names = [name for name, spec in written.specs.items() if "const" not in spec and not _left_to_erp(name, wanted)]
    return [
        name for name in names if not _alike(contract, written.specs[name], wanted.get(name), there.fields.get(name))
    ]


def _left_to_erp(name: str, wanted: Mapping[str, Any]) -> bool:
    return name in OWN_DEFAULT and wanted.get(name) in {None, ""}


def _alike(contract: Contract, spec: Mapping[str, Any], ours: Any, theirs: Any) -> bool:
    if "each" in spec:
        return _same_lines(contract, contract.maps[spec["each"]], ours or (), theirs or ())
    if spec.get("type") in NUMBERS:
        return _number(ours) == _number(theirs)
    if spec.get("type") == "date":
        return day(ours) == day(theirs)
    return _plain(ours) == _plain(theirs)


def _same_lines(
    contract: Contract, inner: FieldMap, ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]
) -> bool:
    names = [name for name, spec in inner.specs.items() if "const" not in spec]
    return len(ours) == len(theirs) and all(
        _alike(contract, inner.specs[name], mine.get(name), yours.get(name))
        for mine, yours in zip(ours, theirs, strict=True)
        for name in names
    )


def day(value: Any) -> str:
    """Return a date as text, without a time that the ERP may add; empty where there is none."""
    return str(value or "")[:10]


def _with_cents(amount: Decimal) -> str:
    """Return an amount with two decimals at least, as JSON's 4200.0 has lost one."""
    exponent = amount.as_tuple().exponent
    return format(amount if isinstance(exponent, int) and exponent < -CENTS else round(amount, CENTS), "f")


def _plain(text: Any) -> str:
    return "" if text is None or text is False else str(text).replace("\r\n", "\n").strip()


def _number(value: Any) -> Decimal | str:
    try:
        return Decimal(str(value)).normalize()
    except InvalidOperation:
        return _plain(value)


def _decimal(name: str, value: Any) -> Decimal:
    number = _number(value)
    if isinstance(number, str) or not number.is_finite():
        message = f"the ERP's {name} is no number"
        raise ResponseError(message, code=Reason.NOT_A_NUMBER, excerpt=str(value))
    return Decimal(str(value))
