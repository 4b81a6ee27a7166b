"""The price list: one answer for a protocol, a customer, a priority and a day, or a reason why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, ClassVar, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator

from pv_testing.config.policy import Policy
from pv_testing.core.errors import DataError
from pv_testing.core.model import Model, Text, Written
from pv_testing.core.reasons import Reason
from pv_testing.domain.money import UNIT_PLACES, exact, minor_digits, percent_of, round_to


def _payable(currency: str) -> str:
    minor_digits(currency)
    return currency


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"there is no day {text}") from None


AmountText = Annotated[str, Field(pattern=r"^(?=.*[1-9])(0|[1-9][0-9]{0,8})(\.[0-9]{1,4})?$")]
PercentText = Annotated[str, Field(pattern=r"^([0-9]{1,3}|-[0-9]{1,2})(\.[0-9]{1,2})?$")]
DayText = Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Day = Annotated[date, Written(DayText, _day), Field(description='a quoted day such as "2026-01-01", included')]
Currency = Annotated[
    str, Field(pattern="^[A-Z]{3}$", description="a code of ISO 4217 such as EUR"), AfterValidator(_payable)
]


class PriceCondition(Model):
    """When an entry of the price list holds."""

    customer: Text = Field("", description="The customer's name in the framework; every customer without it.")
    priority: str = Field(
        "",
        pattern="^[a-z][a-z0-9_-]*$",
        description="a priority of the framework in small letters, such as urgent; every priority without it",
    )
    valid_from: Day = date.min
    valid_to: Day = date.max

    @field_validator("valid_to")
    @classmethod
    def _is_not_before(cls, last: date, info: ValidationInfo) -> date:
        first = info.data.get("valid_from", date.min)
        if first > last:
            raise ValueError(f"{last} is before {first}, so that it never holds")
        return last

    @property
    def rank(self) -> tuple[bool, bool]:
        """How special it is: customer and priority before customer before priority before neither."""
        return bool(self.customer), bool(self.priority)

    def holds(self, customer: str, priority: str, on: date) -> bool:
        """Say whether it holds for a request on a day."""
        return (
            self.customer in {"", customer}
            and self.priority in {"", priority}
            and self.valid_from <= on <= self.valid_to
        )


class PriceEntry(PriceCondition):
    """One price."""

    price: Annotated[Decimal, Written(AmountText, exact)] = Field(
        description='a quoted amount above zero with at most four decimals, such as "500.00"'
    )
    per: int = Field(1, ge=1, description="For how many modules the price is; 1 without it.")
    currency: Currency = ""

    @field_validator("per")
    @classmethod
    def _divides(cls, per: int, info: ValidationInfo) -> int:
        unit = info.data.get("price", Decimal(0)) / per
        if unit != round_to(unit, UNIT_PLACES):
            raise ValueError(f"the price of one module would have more than {UNIT_PLACES} decimals")
        return per

    @property
    def unit(self) -> Decimal:
        """The price of one module."""
        return self.price / self.per


class Surcharge(PriceCondition):
    """What is added to prices, in per cent."""

    priority: str = Field(
        pattern="^[a-z][a-z0-9_-]*$",
        description="a priority of the framework in small letters, such as urgent",
    )
    percent: Annotated[Decimal, Written(PercentText, exact)] = Field(
        description='a quoted number of per cent such as "25"; a negative one down to "-99.99" is a discount'
    )


@dataclass(frozen=True, slots=True)
class Price:
    """What one module costs in one protocol.

    Attributes:
        unit: the price of one module.
        currency: its ISO 4217 code.
    """

    unit: Decimal
    currency: str


Entries = Annotated[tuple[PriceEntry, ...], Field(strict=False, min_length=1)]
Holding = TypeVar("Holding", bound=PriceCondition)


class PriceList(Policy):
    """The laboratory's prices."""

    NAME: ClassVar[str] = "prices"
    model_config = ConfigDict(title="What a test costs")

    currency: Currency
    prices: Annotated[Mapping[str, Entries], Field(min_length=1)] = Field(
        description="By protocol: one entry or several, of which the most special one that holds is taken."
    )
    surcharges: Annotated[tuple[Surcharge, ...], Field(strict=False)] = Field(
        (), description="What is added to prices that don't name the request's priority themselves."
    )

    def price(self, protocol: str, customer: str, priority: str, on: date) -> Price:
        """Return what one module costs.

        The most special entry wins: one for customer and priority before one for the customer before one for the
        priority before one for all. A surcharge is added to a price that doesn't name the priority itself.

        Args:
            protocol: its identifier.
            customer: the customer's name in the framework.
            priority: the request's.
            on: the day.

        Raises:
            DataError: no entry holds (``PRICE_MISSING``), or several that are equally special (``PRICE_AMBIGUOUS``).
        """
        asked = (customer, priority.strip().lower(), on)
        who = f"{protocol} for {customer or 'an unnamed customer'}, priority {priority or 'none'}, on {on}"
        chosen = _only(f"prices.{protocol}", self.prices.get(protocol, ()), who, *asked)
        if chosen is None:
            raise DataError(f"prices.yaml has no price of {who}; add one", code=Reason.PRICE_MISSING)
        unit = chosen.unit
        above = None if chosen.priority else _only("surcharges", self.surcharges, who, *asked)
        if above is not None:
            unit = round_to(unit + percent_of(unit, above.percent), UNIT_PLACES)
        return Price(unit, chosen.currency or self.currency)


def _only(place: str, entries: Sequence[Holding], who: str, customer: str, priority: str, on: date) -> Holding | None:
    """Return the most special entry that holds, where there is one.

    Raises:
        DataError: several are equally special.
    """
    fitting = [(number, each) for number, each in enumerate(entries) if each.holds(customer, priority, on)]
    highest = max((entry.rank for _, entry in fitting), default=None)
    best = [(number, entry) for number, entry in fitting if entry.rank == highest]
    if len(best) > 1:
        places = ", ".join(f"{place}[{number}]" for number, _ in best)
        text = f"prices.yaml has {len(best)} equally special entries for {who}: {places}; end one before the other"
        raise DataError(text, code=Reason.PRICE_AMBIGUOUS)
    return best[0][1] if best else None


def one_currency(prices: Iterable[Price]) -> str:
    """Return the currency that all prices of an invoice are in.

    Raises:
        DataError: there are several; an invoice has one.
    """
    currencies = sorted({price.currency for price in prices})
    if len(currencies) != 1:
        text = f"the prices are in {' and '.join(currencies)}; give prices in one currency"
        raise DataError(text, code="CURRENCY_MIXED")
    return currencies[0]
