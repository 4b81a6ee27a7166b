"""The tax on an invoice: its rate, its EN 16931 category and, where there is none, the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pv_testing.domain.money import exact, percent_of, rounded

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


@dataclass(frozen=True, slots=True)
class Tax:
    """How an invoice is taxed.

    Attributes:
        category: EN 16931's code: S standard rate, Z zero rate, E exempt, AE reverse charge, G export, O outside.
        rate: in per cent; 0 in every category but S.
        reason: why there is none.
    """

    category: str = OUTSIDE
    rate: Decimal = Decimal(0)
    reason: str = REASONS[OUTSIDE][1]

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Tax:
        """Return the tax that a mapping with ``category``, ``rate`` and ``reason`` describes; none where it is empty.

        Raises:
            ValueError: rate or reason don't go with the category.
        """
        category = said.get("category", OUTSIDE)
        rate = exact(said.get("rate", "0"))
        reason = said.get("reason") or REASONS.get(category, ("", ""))[1]
        if (category == STANDARD) != (rate > 0):
            raise ValueError("category S needs a rate above 0" if category == STANDARD else f"{category} has rate 0")
        if category == EXEMPT and not reason:
            raise ValueError("category E needs the reason, as the law words it")
        return cls(category, rate, reason)

    @property
    def reason_code(self) -> str:
        """The reason's code in the list VATEX; empty where the category has none of its own."""
        return REASONS.get(self.category, ("", ""))[0]

    def on(self, amount: Decimal, currency: str) -> Decimal:
        """Return the tax on an amount, rounded half-up: 19 % of 4300.00 EUR is 817.00 EUR."""
        return rounded(percent_of(amount, self.rate), currency)
