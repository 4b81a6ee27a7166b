"""The two parties of an invoice as the law wants them named: the laboratory and its customer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pv_testing.billing.tax import Tax


@dataclass(frozen=True, slots=True)
class Address:
    """Where a party is.

    Attributes:
        lines: street and what else stands before the city, at most three.
        postcode: of the city.
        city: its name.
        country: ISO 3166's code of two letters.
    """

    lines: tuple[str, ...] = ()
    postcode: str = ""
    city: str = ""
    country: str = ""

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Address:
        """Return the address that a mapping describes."""
        return cls(**{**said, "lines": tuple(said.get("lines") or ())})


@dataclass(frozen=True, slots=True)
class Bank:
    """Where the customer pays to.

    Attributes:
        iban: the account.
        bic: the bank.
        account_name: whose account it is.
    """

    iban: str
    bic: str = ""
    account_name: str = ""


@dataclass(frozen=True, slots=True)
class Seller:
    """The laboratory.

    Attributes:
        name: its legal name.
        address: where it is.
        vat_id: with the country's letters.
        registration: its number in the commercial register.
        email: where answers to an invoice go.
        bank: where the customer pays to.
    """

    name: str = ""
    address: Address = field(default_factory=Address)
    vat_id: str = ""
    registration: str = ""
    email: str = ""
    bank: Bank | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Seller:
        """Return the seller that a mapping describes.

        Raises:
            ValueError: the IBAN's check digits are wrong.
        """
        bank = Bank(**said["bank"]) if said.get("bank") else None
        if bank and not iban_is_right(bank.iban):
            raise ValueError("the check digits of the IBAN are wrong; look for a mistyped digit")
        return cls(**{**said, "address": Address.of(said.get("address") or {}), "bank": bank})


@dataclass(frozen=True, slots=True)
class Customer:
    """Who pays.

    Attributes:
        name: as the framework has it.
        erp_id: its id in the ERP; empty where it is to be looked up there by name.
        vat_id: with the country's letters.
        address: where it is.
        email: where invoices go.
        buyer_reference: what the customer wants to find on invoices, such as a cost centre or a Leitweg-ID.
        payment_days: its own terms of payment.
        tax: its own tax, such as reverse charge.
    """

    name: str
    erp_id: str = ""
    vat_id: str = ""
    address: Address = field(default_factory=Address)
    email: str = ""
    buyer_reference: str = ""
    payment_days: int | None = None
    tax: Tax | None = None

    @classmethod
    def of(cls, name: str, said: Mapping[str, Any]) -> Customer:
        """Return the customer that a mapping describes.

        Raises:
            ValueError: rate or reason of its tax don't go with the category.
        """
        tax = Tax.of(said["tax"]) if said.get("tax") else None
        return cls(name, **{**said, "address": Address.of(said.get("address") or {}), "tax": tax})


def iban_is_right(iban: str) -> bool:
    """Say whether the check digits of an IBAN are right (ISO 13616: 97 leaves a remainder of 1)."""
    return int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97 == 1
