"""Stand-ins of named products, each written from what is documented of its product, with the traps that are known.

They share no code with the product under test, so that they can judge it. `python -m sandbox.products NAME` runs one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

Row = dict[str, Any]


class StandIn(Protocol):
    """A running stand-in.

    Attributes:
        section: the system's part of ``config/integrations.yaml``, with the stand-in's address and credentials.
        origin: the address without a path; ``""`` where files or a database are the way.
    """

    section: Mapping[str, Any]
    origin: str

    def rows(self, kind: str) -> list[Row]:
        """Return all records of a kind from the stand-in's own database, each with its business key as ``key``."""
        ...


class LimsStandIn(StandIn, Protocol):
    """A stand-in of a LIMS."""

    def receive(self) -> None:
        """Receive all samples, as people do."""
        ...


class ErpStandIn(StandIn, Protocol):
    """A stand-in of an ERP."""

    def know_customer(self, name: str) -> None:
        """Know a customer, and the laboratory's services as products where invoices name products."""
        ...


class UnproxiedStandIn(StandIn, Protocol):
    """A stand-in that takes files or rows of a database, so that no proxy can stand before it."""

    def lose(self, share: float, seed: int) -> None:
        """Lose this share of the answers from now on, after the work is done."""
        ...

    def writes(self) -> int:
        """Return how many writes have arrived."""
        ...


@dataclass(frozen=True)
class Product:
    """A product that has a stand-in.

    Attributes:
        name: its word on a command line.
        system: which system it is for the laboratory.
        module: where its stand-in is: ``TRAPS``, and ``serve`` or the function that ``serve_with`` names.
        serve_with: the function that serves it.
        timed: whether it judges the caller's clock, or shows records later than it takes them.
        writes: which requests write, each a route and a text that the body holds; empty where the method tells.
    """

    name: str
    system: str
    module: str
    serve_with: str = "serve"
    writes: tuple[tuple[str, str], ...] = ()
    timed: bool = False

    def traps(self) -> Collection[str]:
        """Return the names of the documented traps that the stand-in can set."""
        return cast("Collection[str]", import_module(self.module).TRAPS)

    def serve(self, folder: Path, traps: Collection[str] = (), port: int = 0) -> AbstractContextManager[StandIn]:
        """Run the stand-in.

        Args:
            folder: for its data.
            traps: the documented traps to set.
            port: 0 for any free one.
        """
        serve = getattr(import_module(self.module), self.serve_with)
        return cast("AbstractContextManager[StandIn]", serve(folder, traps, port))


PRODUCTS: Mapping[str, Product] = {
    product.name: product
    for product in (
        Product("asana", "pm", "sandbox.products.asana"),
        Product("asana-pat", "pm", "sandbox.products.asana", "serve_personal"),
        Product("business-central", "erp", "sandbox.products.business_central"),
        Product("custom-erp", "erp", "sandbox.products.custom", "serve_erp"),
        Product("custom-lims", "lims", "sandbox.products.custom", "serve_lims"),
        Product("custom-pm", "pm", "sandbox.products.custom", "serve_pm"),
        Product("custom-qms", "qms", "sandbox.products.custom", "serve_qms"),
        Product("dataverse", "pm", "sandbox.products.dataverse"),
        Product("erpnext", "erp", "sandbox.products.erpnext"),
        Product("jira", "pm", "sandbox.products.jira", timed=True),
        Product("jira-dc", "pm", "sandbox.products.jira", "serve_dc", timed=True),
        Product("labvantage", "lims", "sandbox.products.labvantage"),
        Product("labvantage-soap", "lims", "sandbox.products.labvantage_soap"),
        Product("labware-files", "lims", "sandbox.products.labware.files"),
        Product("labware-rest", "lims", "sandbox.products.labware.rest"),
        Product("labware-soap", "lims", "sandbox.products.labware.soap"),
        Product("labware-sql", "lims", "sandbox.products.labware.sql"),
        Product("microsoft-project", "pm", "sandbox.products.microsoft_project"),
        Product("netsuite", "erp", "sandbox.products.netsuite", timed=True),
        Product("odoo", "erp", "sandbox.products.odoo", writes=(("POST */create", ""), ("POST */action_post", ""))),
        Product(
            "odoo-xmlrpc",
            "erp",
            "sandbox.products.odoo",
            "serve_xmlrpc",
            writes=(("POST *", ">create<"), ("POST *", ">action_post<")),
        ),
        Product("s4hana", "erp", "sandbox.products.s4hana"),
        Product("salesforce", "qms", "sandbox.products.salesforce"),
        Product("sap-qm", "qms", "sandbox.products.sap_qm"),
        Product("starlims", "lims", "sandbox.products.starlims"),
        Product("starlims-soap", "lims", "sandbox.products.starlims_soap"),
        Product("veeva", "qms", "sandbox.products.veeva"),
    )
}
