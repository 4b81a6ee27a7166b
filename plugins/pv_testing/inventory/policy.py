"""What the ERP gets to know of modules and consumables: ``inventory.yaml`` as one immutable object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pv_testing.core.problems import Problem, refuse
from pv_testing.domain.status import rank

STEPS = ("received", "stored", "leaving")
AS_TESTED = "as_tested"
CLOSED_DAYS = 30


@dataclass(frozen=True, slots=True)
class Leaving:
    """What becomes of modules when they leave.

    Attributes:
        modules: ``as_tested``, or ``returned`` or ``scrapped`` for all of them.
        destroyed_by: protocols that leave nothing to return.
        scrapped_if_failed: protocols after whose failure a module isn't returned.
    """

    modules: str = AS_TESTED
    destroyed_by: frozenset[str] = frozenset()
    scrapped_if_failed: frozenset[str] = frozenset()

    def overruled(self, said: Mapping[str, Any]) -> Leaving:
        """Return the same with what a mapping says otherwise."""
        return Leaving(
            said.get("modules", self.modules),
            frozenset(said.get("destroyed_by", self.destroyed_by)),
            frozenset(said.get("scrapped_if_failed", self.scrapped_if_failed)),
        )


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


@dataclass(frozen=True)
class InventoryPolicy:
    """The laboratory's rules of inventory.

    Attributes:
        product: what the ERP calls a customer's module; empty where its contract says it.
        states: by step (``received``, ``stored``, ``leaving``) the state of a request from which it is booked; empty
            where nothing is moved.
        leaving: what becomes of modules.
        customers: the same for those customers for whom it is otherwise, by their name in the framework.
        consumables: what one completed execution uses up, by protocol.
        closed_days: requests of so many days are also looked at when they are closed already.
    """

    product: str = ""
    states: Mapping[str, str] = field(default_factory=dict)
    leaving: Leaving = field(default_factory=Leaving)
    customers: Mapping[str, Leaving] = field(default_factory=dict)
    consumables: Mapping[str, tuple[Consumable, ...]] = field(default_factory=dict)
    closed_days: int = CLOSED_DAYS

    @classmethod
    def read(cls, path: str | Path | None = None) -> InventoryPolicy:
        """Read ``inventory.yaml``.

        Args:
            path: the file; the one beside the configuration file by default.

        Raises:
            ConfigError: for each thing that is wrong, with its place.
        """
        from pv_testing.config.policy import read_policy

        return cls.of(read_policy("inventory", path), str(path or "inventory.yaml"))

    @classmethod
    def of(cls, said: Mapping[str, Any], file: str = "inventory.yaml") -> InventoryPolicy:
        """Return the rules that a mapping of the shape of ``inventory.yaml`` describes.

        Raises:
            ConfigError: modules would be stored before they are received, or gone before they are stored.
        """
        states = dict(said.get("states") or {})
        order = [rank(states[step]) for step in STEPS if step in states]
        if order != sorted(order):
            wrong = "received, stored and leaving must name states in the framework's order"
            refuse([Problem(file, 0, "states", wrong)])
        usual = Leaving().overruled(said.get("leaving") or {})
        return cls(
            product=said.get("product", ""),
            states=states,
            leaving=usual,
            customers={name: usual.overruled(of or {}) for name, of in (said.get("customers") or {}).items()},
            consumables={
                protocol: tuple(Consumable(item, **of) for item, of in items.items())
                for protocol, items in (said.get("consumables") or {}).items()
            },
            closed_days=said.get("closed_days", CLOSED_DAYS),
        )

    def leaving_of(self, customer: str) -> Leaving:
        """Return what becomes of a customer's modules.

        Args:
            customer: its name in the framework.
        """
        return self.customers.get(customer, self.leaving)
