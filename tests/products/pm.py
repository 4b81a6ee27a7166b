"""Clients of project management for a stand-in, with short deadlines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pv_testing.config import system_config
from pv_testing.integrations import PMClient
from pv_testing.ledger import Ledger
from sandbox.products import StandIn
from tests.shipped import impatient

LIMITS = {"attempt_timeout": 5, "total_timeout": 10, "horizon": 0.2}


@contextmanager
def client(
    stand_in: StandIn,
    folder: Path,
    ledger: Ledger,
    *,
    contract: str = "",
    address: str = "",
    **options: Any,
) -> Iterator[PMClient]:
    """Give a client of a stand-in.

    Args:
        stand_in: it.
        folder: for the contract.
        ledger: of the client.
        contract: another one than that of the stand-in.
        address: of a proxy before the stand-in.
        options: other options of the product.
    """
    section: dict[str, Any] = dict(stand_in.section)
    name = contract or f"pm_{section['provider'].lower().replace(' ', '_')}"
    base = section.pop("base_url").replace(stand_in.origin, address or stand_in.origin)
    del section["provider"]
    section["options"] = {**section["options"], **options}
    config = system_config("pm", base, contract=str(impatient(name, folder, **LIMITS)), **section)
    pm = PMClient(config=config, ledger=ledger)
    try:
        yield pm
    finally:
        pm.close()


def task(number: int, **other: Any) -> Mapping[str, Any]:
    """Return the arguments of a main task."""
    return {"title": f"Task {number}", "external_id": f"SR-2025-{number:04}", **other}
