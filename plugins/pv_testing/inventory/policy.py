"""What the ERP gets to know of modules and consumables: ``inventory.yaml`` as one immutable object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from pv_testing.config.policy import Policy
from pv_testing.core.model import Model, Text, Written
from pv_testing.domain.status import State, rank

STEPS = ("received", "stored", "leaving")
AS_TESTED = "as_tested"
CLOSED_DAYS = 30
Protocols = Annotated[frozenset[Text], Field(strict=False)]


class States(Model):
    """The state of a service request from which a movement is booked; nothing is moved without it."""

    received: State = Field(description="From here on the modules are in the laboratory.")
    stored: State = Field(description="From here on they are on the shelf.")
    leaving: State = Field(description="From here on they are gone.")


class Leaving(Model):
    """What becomes of modules when they leave."""

    modules: Literal["as_tested", "returned", "scrapped"] = Field(
        "as_tested",
        description=(
            "Whether what was tested decides on each module, or all are returned or scrapped; as_tested without it."
        ),
    )
    destroyed_by: Protocols = Field(
        frozenset(),
        description="A module on which one of these protocols has begun is scrapped, whatever the verdict.",
    )
    scrapped_if_failed: Protocols = Field(
        frozenset(), description="A module that has failed one of these protocols is scrapped."
    )


class Use(Model):
    """What one execution uses up of an item."""

    quantity: str = Field(
        pattern=r"^(?=.*[1-9])(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?$",
        description='a quoted quantity above zero with at most six decimals, such as "0.05"',
    )
    unit: Text = Field(description="As the ERP calls it.")


@dataclass(frozen=True, slots=True)
class Consumable:
    """What one execution uses up of an item.

    Attributes:
        item: its code in the ERP.
        quantity: decimal text with the digits that it was given with.
        unit: as the ERP calls it.
    """

    item: str
    quantity: str
    unit: str


def _in_order(states: States) -> dict[str, str]:
    by_step = {step: getattr(states, step) for step in STEPS}
    order = [rank(state) for state in by_step.values()]
    if order != sorted(order):
        raise ValueError("received, stored and leaving must name states in the framework's order")
    return by_step


def _with_code(uses: Mapping[str, Use]) -> tuple[Consumable, ...]:
    return tuple(Consumable(item, use.quantity, use.unit) for item, use in uses.items())


Uses = Annotated[Mapping[str, Use], Field(min_length=1, description="By the item's code in the ERP.")]


class InventoryPolicy(Policy):
    """The laboratory's rules of inventory."""

    NAME: ClassVar[str] = "inventory"
    model_config = ConfigDict(title="What the ERP gets to know of modules and consumables")

    product: Text = Field("", description="What the ERP calls a customer's module; the contract says it without it.")
    states: Annotated[Mapping[str, str], Written(States, _in_order)] = {}
    leaving: Leaving = Leaving()
    customers: Mapping[str, Leaving] = Field(
        {}, description="By the customer's name in the framework: what is otherwise for it."
    )
    consumables: Mapping[str, Annotated[tuple[Consumable, ...], Written(Uses, _with_code)]] = Field(
        {}, description="By protocol, what one completed execution uses up; nothing is drawn without it."
    )
    closed_days: int = Field(
        CLOSED_DAYS,
        ge=0,
        le=3650,
        description=(
            "Requests of the last so many days are also looked at when they are closed already; 30 without it, 0 for "
            "none."
        ),
    )

    def leaving_of(self, customer: str) -> Leaving:
        """Return what becomes of a customer's modules.

        Args:
            customer: its name in the framework.
        """
        own = self.customers.get(customer)
        return self.leaving.model_copy(update=own.given()) if own else self.leaving
