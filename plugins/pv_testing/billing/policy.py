"""How the laboratory bills: ``billing.yaml`` and ``prices.yaml`` as one immutable object."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from pv_testing.billing.parties import UNNAMED, Customer, CustomerSection, Days, Seller
from pv_testing.billing.prices import PriceList
from pv_testing.billing.tax import NO_TAX, Tax
from pv_testing.config.policy import Policy
from pv_testing.core.model import Text, Written

ANNOUNCED = "announced"
TESTED = "tested"
COMPLETED = "completed"
PASSED = "passed"
PAYMENT_DAYS = 30


def _named(customers: Mapping[str, CustomerSection]) -> dict[str, Customer]:
    return {name: Customer.extend(section, name=name) for name, section in customers.items()}


class BillingRules(Policy):
    """The keys of ``billing.yaml``."""

    NAME: ClassVar[str] = "billing"
    model_config = ConfigDict(title="How the laboratory bills")

    seller: Seller = UNNAMED
    payment_days: Days = PAYMENT_DAYS
    quantity: Literal["announced", "tested"] = Field(
        "announced",
        description=(
            "Whether a protocol is billed for every announced module or for those that were tested; announced without "
            "it."
        ),
    )
    billed: Literal["completed", "passed"] = Field(
        "completed",
        description=("Whether every completed execution counts as tested or only a passed one; completed without it."),
    )
    tax: Tax = NO_TAX
    create_customers: bool = Field(
        default=False, description="Whether a customer that the ERP doesn't know is created there; false without it."
    )
    e_invoice_folder: Text = Field(
        "",
        description=(
            "Where the e-invoice of a posted invoice is written, absolute or within the Airflow home; none is written "
            "without it."
        ),
    )
    customers: Annotated[Mapping[str, Customer], Written(Mapping[str, CustomerSection], _named)] = Field(
        {}, description="By the customer's name in the framework."
    )


class BillingPolicy(BillingRules):
    """The laboratory's rules of billing, with its price list."""

    prices: PriceList

    @classmethod
    def read(cls, billing: str | Path | None = None, prices: str | Path | None = None) -> BillingPolicy:
        """Read ``billing.yaml`` and ``prices.yaml``.

        Args:
            billing: the first file; the one beside the configuration file by default.
            prices: the second file, likewise.

        Raises:
            ConfigError: for each thing that is wrong, with its place.
        """
        return cls.extend(BillingRules.read(billing), prices=PriceList.read(prices))

    @classmethod
    def of(cls, written: Mapping[str, Any], prices: PriceList) -> BillingPolicy:  # type: ignore[override]
        """Return the rules that a mapping of the shape of ``billing.yaml`` describes.

        Raises:
            ConfigError: for each thing that is wrong, with its place.
        """
        return cls.extend(BillingRules.of(written), prices=prices)

    def customer(self, name: str) -> Customer:
        """Return what is known of a customer of the framework; one that isn't listed has nothing but its name."""
        return self.customers.get(name) or Customer(name=name)
