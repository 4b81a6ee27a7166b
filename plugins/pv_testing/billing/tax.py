"""The tax on an invoice: its rate, its EN 16931 category and, where there is none, the reason."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from pv_testing.core.model import Model, Text, Written
from pv_testing.domain.money import exact, percent_of, rounded

if TYPE_CHECKING:
    from typing_extensions import Self

STANDARD = "S"
OUTSIDE = "O"
REVERSE_CHARGE = "AE"
EXPORT = "G"
EXEMPT = "E"
REASONS = {
    REVERSE_CHARGE: ("VATEX-EU-AE", "Reverse charge"),
    EXPORT: ("VATEX-EU-G", "Export outside the EU"),
    OUTSIDE: ("VATEX-EU-O", "Not subject to VAT"),
}


Rate = Annotated[str, Field(pattern=r"^[0-9]{1,2}(\.[0-9]{1,2})?$")]


class Tax(Model):
    """How invoices are taxed; outside the scope of VAT without it."""

    category: Literal["S", "Z", "E", "AE", "G", "O"] = Field(
        description=(
            "EN 16931's code: S standard rate, Z zero rate, E exempt, AE reverse charge, G export, O outside the scope "
            "of VAT."
        )
    )
    rate: Annotated[Decimal, Written(Rate, exact)] = Field(
        Decimal(0), description='a quoted rate in per cent such as "19"; only category S has one'
    )
    reason: Text = Field(
        default_factory=lambda given: REASONS.get(given.get("category", ""), ("", ""))[1],
        description="Why there is no tax, as the law words it; needed for E, known for AE, G and O.",
    )

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.category == STANDARD) != (self.rate > 0):
            standard = self.category == STANDARD
            raise ValueError("category S needs a rate above 0" if standard else f"{self.category} has rate 0")
        if self.category == EXEMPT and not self.reason:
            raise ValueError("category E needs the reason, as the law words it")
        return self

    @property
    def reason_code(self) -> str:
        """The reason's code in the list VATEX; empty where the category has none of its own."""
        return REASONS.get(self.category, ("", ""))[0]

    def on(self, amount: Decimal, currency: str) -> Decimal:
        """Return the tax on an amount, rounded half-up: 19 % of 4300.00 EUR is 817.00 EUR."""
        return rounded(percent_of(amount, self.rate), currency)


NO_TAX = Tax(category="O")
"""What is on an invoice where nothing is said of tax."""
