"""Named products in the place of the sandbox's own systems, and their sections of the configuration."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from sandbox.products import PRODUCTS, ErpStandIn, LimsStandIn, Row, StandIn
from sandbox.seed import CUSTOMERS

SYSTEMS = ("lims", "qms", "pm", "erp")
SECRETS = ("api_key", "client_secret", "password", "token")
KINDS = {
    "lims": ("sample", "result"),
    "qms": ("non_conformance", "capa"),
    "pm": ("task", "time_entry"),
    "erp": ("invoice",),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let the command line choose a product for each system."""
    for system in SYSTEMS:
        names = sorted(name for name, product in PRODUCTS.items() if product.system == system)
        own = f"custom-{system}"
        parser.add_argument(
            f"--{system}", choices=names, default=own, metavar="PRODUCT", help=f"{', '.join(names)}; {own} by default"
        )


@dataclass(frozen=True)
class Products:
    """The stand-ins that take the place of the sandbox's systems.

    Attributes:
        stand_ins: by system.
    """

    stand_ins: Mapping[str, StandIn] = field(default_factory=dict)

    def sections(self) -> dict[str, dict[str, Any]]:
        """Return the sections of the configuration; a secret is a variable there."""
        return {
            system: {
                name: f"${{{_variable(system, name)}}}" if name in SECRETS else value
                for name, value in stand_in.section.items()
            }
            for system, stand_in in self.stand_ins.items()
        }

    def variables(self) -> dict[str, str]:
        """Return the secrets, by the names of their variables."""
        return {
            _variable(system, name): str(value)
            for system, stand_in in self.stand_ins.items()
            for name, value in stand_in.section.items()
            if name in SECRETS
        }

    def receive(self) -> int | None:
        """Receive all samples of the LIMS and return how many there are; ``None`` where it is the sandbox's own."""
        if "lims" not in self.stand_ins:
            return None
        cast("LimsStandIn", self.stand_ins["lims"]).receive()
        return len(self.stand_ins["lims"].rows("sample"))

    def state(self) -> dict[str, list[Row]]:
        """Return everything that the products hold, by kind."""
        return {kind: each.rows(kind) for system, each in self.stand_ins.items() for kind in KINDS[system]}


def start(chosen: Mapping[str, str], folder: Path, stack: ExitStack) -> Products:
    """Start the stand-ins of the chosen products.

    Args:
        chosen: a product's name for each system; the sandbox's own system stays where it is ``custom-…``.
        folder: of their data.
        stack: stops them again.
    """
    stand_ins: dict[str, StandIn] = {}
    for system, name in chosen.items():
        if name == f"custom-{system}":
            continue
        data = folder / system
        data.mkdir(parents=True)
        stand_ins[system] = stack.enter_context(PRODUCTS[name].serve(data))
    if "erp" in stand_ins:
        _know(cast("ErpStandIn", stand_ins["erp"]), CUSTOMERS)
    return Products(stand_ins)


def _know(erp: ErpStandIn, customers: Sequence[str]) -> None:
    for customer in customers:
        erp.know_customer(customer)


def _variable(system: str, name: str) -> str:
    return f"{system}_{name}".upper()
