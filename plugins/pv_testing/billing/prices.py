"""The price list: one answer for a protocol, a customer, a priority and a day, or a reason why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from pv_testing.core.errors import DataError
from pv_testing.core.problems import Problem, refuse
from pv_testing.domain.money import UNIT_PLACES, exact, minor_digits, percent_of, round_to


@dataclass(frozen=True, slots=True)
class PriceCondition:
    """When an entry of the price list holds.

    Attributes:
        customer: the customer's name in the framework; empty for every customer.
        priority: the request's priority; empty for every priority.
        valid_from: the first day.
        valid_to: the last day.
    """

    customer: str = ""
    priority: str = ""
    valid_from: date = date.min
    valid_to: date = date.max

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


@dataclass(frozen=True, slots=True)
class PriceEntry:
    """One price, or one surcharge.

    Attributes:
        number: the price of one module, or the surcharge in per cent.
        when: when it holds.
        place: where the price list says it, for messages.
        currency: of a price.
    """

    number: Decimal
    when: PriceCondition
    place: str
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """What one module costs in one protocol.

    Attributes:
        unit: the price of one module.
        currency: its ISO 4217 code.
    """

    unit: Decimal
    currency: str


@dataclass(frozen=True)
class PriceList:
    """The laboratory's prices.

    Attributes:
        prices: by protocol.
        surcharges: by priority.
    """

    prices: Mapping[str, tuple[PriceEntry, ...]]
    surcharges: tuple[PriceEntry, ...] = ()

    @classmethod
    def read(cls, path: str | Path | None = None) -> PriceList:
        """Read ``prices.yaml``.

        Args:
            path: the file; the one beside the configuration file by default.

        Raises:
            ConfigError: for each thing that is wrong, with its place.
        """
        from pv_testing.config.policy import read_policy

        return cls.of(read_policy("prices", path), str(path or "prices.yaml"))

    @classmethod
    def of(cls, said: Mapping[str, Any], file: str = "prices.yaml") -> PriceList:
        """Return the price list that a mapping of the shape of ``prices.yaml`` describes.

        Raises:
            ConfigError: for each thing that is wrong, with its place.
        """
        reader = _PriceReader(file, said["currency"])
        prices = {
            protocol: tuple(reader.price(entry, f"prices.{protocol}[{number}]") for number, entry in enumerate(entries))
            for protocol, entries in said["prices"].items()
        }
        listed = enumerate(said.get("surcharges") or ())
        surcharges = tuple(reader.surcharge(entry, f"surcharges[{number}]") for number, entry in listed)
        refuse(reader.problems)
        return cls(prices, surcharges)

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
        best = _most_special(self.prices.get(protocol, ()), *asked)
        if not best:
            raise DataError(f"prices.yaml has no price of {who}; add one", code="PRICE_MISSING")
        chosen = _only(best, who)
        unit = chosen.number
        above = [] if chosen.when.priority else _most_special(self.surcharges, *asked)
        if above:
            unit = round_to(unit + percent_of(unit, _only(above, who).number), UNIT_PLACES)
        return Price(unit, chosen.currency)


def _most_special(entries: Iterable[PriceEntry], customer: str, priority: str, on: date) -> list[PriceEntry]:
    fitting = [entry for entry in entries if entry.when.holds(customer, priority, on)]
    highest = max((entry.when.rank for entry in fitting), default=None)
    return [entry for entry in fitting if entry.when.rank == highest]


def _only(entries: list[PriceEntry], who: str) -> PriceEntry:
    if len(entries) > 1:
        places = ", ".join(entry.place for entry in entries)
        text = f"prices.yaml has {len(entries)} equally special entries for {who}: {places}; end one before the other"
        raise DataError(text, code="PRICE_AMBIGUOUS")
    return entries[0]


class _PriceReader:
    """Reads entries that are of the right shape, and collects what is wrong with their content."""

    def __init__(self, file: str, currency: str) -> None:
        self.file = file
        self.currency = currency
        self.problems: list[Problem] = []
        self._known(currency, "currency")

    def price(self, said: Mapping[str, Any], place: str) -> PriceEntry:
        currency = said.get("currency", self.currency)
        self._known(currency, f"{place}.currency")
        number = exact(said["price"]) / said.get("per", 1)
        if number != round_to(number, UNIT_PLACES):
            self._wrong(f"{place}.per", f"the price of one module would have more than {UNIT_PLACES} decimals")
        return PriceEntry(number, self._condition(said, place), place, currency)

    def surcharge(self, said: Mapping[str, Any], place: str) -> PriceEntry:
        return PriceEntry(exact(said["percent"]), self._condition(said, place), place)

    def _condition(self, said: Mapping[str, Any], place: str) -> PriceCondition:
        first = self._day(said.get("valid_from"), f"{place}.valid_from", date.min)
        last = self._day(said.get("valid_to"), f"{place}.valid_to", date.max)
        if first > last:
            self._wrong(f"{place}.valid_to", f"{last} is before {first}, so that it never holds")
        return PriceCondition(said.get("customer", ""), said.get("priority", ""), first, last)

    def _day(self, text: str | None, place: str, otherwise: date) -> date:
        try:
            return date.fromisoformat(text) if text else otherwise
        except ValueError:
            self._wrong(place, f"there is no day {text}")
            return otherwise

    def _known(self, currency: str, place: str) -> None:
        try:
            minor_digits(currency)
        except ValueError as error:
            self._wrong(place, str(error))

    def _wrong(self, place: str, text: str) -> None:
        self.problems.append(Problem(self.file, 0, place, text))


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
