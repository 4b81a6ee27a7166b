"""The two parties of an invoice as the law wants them named: the laboratory and its customer."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from pv_testing.billing.tax import Tax
from pv_testing.core.model import Model, Text


def iban_is_right(iban: str) -> bool:
    """Say whether the check digits of an IBAN are right (ISO 13616: 97 leaves a remainder of 1)."""
    return int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97 == 1


def _checked(iban: str) -> str:
    if not iban_is_right(iban):
        raise ValueError("the check digits of the IBAN are wrong; look for a mistyped digit")
    return iban


VatId = Annotated[
    str,
    Field(
        pattern=r"^[A-Z]{2}[A-Za-z0-9+*.]{2,13}$",
        description="a VAT number that begins with the country's two letters",
    ),
]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", description="an e-mail address")]
Days = Annotated[
    int,
    Field(ge=0, le=365, description="Days from the invoice's date to the day when it is due; 30 without it."),
]


class Address(Model):
    """Where a party is."""

    lines: Annotated[tuple[Text, ...], Field(strict=False, max_length=3)] = Field(
        (), description="Street and what else stands before the city."
    )
    postcode: Text = Field("", description="Of the city, quoted.")
    city: Text = Field("", description="Its name.")
    country: str = Field(pattern="^[A-Z]{2}$", description="a code of ISO 3166 of two letters such as DE")


class Bank(Model):
    """Where customers pay to."""

    iban: Annotated[str, Field(pattern="^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$"), AfterValidator(_checked)] = Field(
        description="an IBAN without spaces"
    )
    bic: str = Field("", pattern="^[A-Z0-9]{8}([A-Z0-9]{3})?$", description="a BIC of 8 or 11 characters")
    account_name: Text = Field("", description="Whose account it is.")


NOWHERE = Address.model_construct(country="")
"""The address of a party of which none is known."""


class Seller(Model):
    """The laboratory, as e-invoices name it."""

    name: Text = Field(description="Its legal name.")
    address: Address = NOWHERE
    vat_id: VatId = ""
    registration: Text = Field("", description="Its number in the commercial register.")
    email: Email = ""
    bank: Bank | None = None


UNNAMED = Seller.model_construct(name="")
"""The seller where nothing is said of the laboratory."""


class CustomerSection(Model):
    """What is known of a customer."""

    erp_id: Text = Field("", description="The customer's id in the ERP, quoted; looked up there by name without it.")
    vat_id: VatId = ""
    address: Address = NOWHERE
    email: Email = ""
    buyer_reference: Text = Field(
        "", description="What the customer wants to find on invoices, such as a cost centre or a Leitweg-ID."
    )
    payment_days: Days | None = None
    tax: Tax | None = None


class Customer(CustomerSection):
    """Who pays: what is known of it, and its name as the framework has it."""

    name: str
