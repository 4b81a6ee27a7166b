"""How the laboratory bills: ``billing.yaml`` and ``prices.yaml`` as one immutable object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pv_testing.billing.parties import Customer, Seller
from pv_testing.billing.prices import PriceList
from pv_testing.billing.tax import Tax
from pv_testing.core.problems import Problem, refuse

ANNOUNCED = "announced"
TESTED = "tested"
COMPLETED = "completed"
PASSED = "passed"
PAYMENT_DAYS = 30
_PLAIN = ("payment_days", "quantity", "billed", "create_customers", "e_invoice_folder")
_Built = TypeVar("_Built")


@dataclass(frozen=True)
class BillingPolicy:
    """The laboratory's rules of billing.

    Attributes:
        prices: the price list.
        seller: the laboratory.
        customers: by their name in the framework.
        payment_days: from the invoice's date to the day when it is due.
        tax: on every invoice whose customer has none of its own.
        quantity: ``announced`` modules for each protocol, or those ``tested``.
        billed: executions that count as tested: all ``completed`` ones, or only ``passed`` ones.
        create_customers: whether a customer that the ERP doesn't know is created there.
        e_invoice_folder: where e-invoices are written, absolute or within the Airflow home; empty for none.
    """

    prices: PriceList
    seller: Seller = field(default_factory=Seller)
    customers: Mapping[str, Customer] = field(default_factory=dict)
    payment_days: int = PAYMENT_DAYS
    tax: Tax = field(default_factory=Tax)
    quantity: str = ANNOUNCED
    billed: str = COMPLETED
    create_customers: bool = False
    e_invoice_folder: str = ""

    @classmethod
    def read(cls, billing: str | Path | None = None, prices: str | Path | None = None) -> BillingPolicy:
        """Read ``billing.yaml`` and ``prices.yaml``.

        Args:
            billing: the first file; the one beside the configuration file by default.
            prices: the second file, likewise.

        Raises:
            ConfigError: for each thing that is wrong, with its place.
        """
        from pv_testing.config.policy import read_policy

        return cls.of(read_policy("billing", billing), PriceList.read(prices), str(billing or "billing.yaml"))

    @classmethod
    def of(cls, said: Mapping[str, Any], prices: PriceList, file: str = "billing.yaml") -> BillingPolicy:
        """Return the rules that a mapping of the shape of ``billing.yaml`` describes.

        Raises:
            ConfigError: for each thing that is wrong, with its place.
        """
        problems: list[Problem] = []

        def built(place: str, make: Callable[[], _Built], otherwise: _Built) -> _Built:
            try:
                return make()
            except ValueError as error:
                problems.append(Problem(file, 0, place, str(error)))
                return otherwise

        seller = built("seller", partial(Seller.of, said.get("seller") or {}), Seller())
        tax = built("tax", partial(Tax.of, said.get("tax") or {}), Tax())
        customers = {
            name: built(f"customers.{name}", partial(Customer.of, name, of or {}), Customer(name))
            for name, of in (said.get("customers") or {}).items()
        }
        refuse(problems)
        plain = {name: said[name] for name in _PLAIN if name in said}
        return cls(prices, seller, customers, tax=tax, **plain)

    def customer(self, name: str) -> Customer:
        """Return what is known of a customer of the framework; one that isn't listed has nothing but its name."""
        return self.customers.get(name) or Customer(name)
