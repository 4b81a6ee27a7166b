"""Clients of Tryton that know nothing of each other, and Tryton's own view of what is there."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pv_testing.core.places import project_root
from pv_testing.integrations import ERPClient
from pv_testing.ledger import Ledger
from tests.live.tryton import plan
from tests.live.tryton.caller import Caller
from tests.live.tryton.server import Server

Connect = Callable[..., Any]


@pytest.fixture(scope="module")
def books(tryton: Server) -> Iterator[Caller]:
    """Tryton's own view of what is there."""
    with Caller(tryton.url, plan.INTEGRATION, plan.INTEGRATION_PASSWORD) as caller:
        yield caller


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The contract with a short horizon: here nothing else keeps Tryton's database busy."""
    file = tmp_path_factory.mktemp("contract") / "erp_tryton.yaml"
    text = (project_root() / "include/mappings/erp_tryton.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("horizon: 10", "horizon: 0.2"), encoding="utf-8")
    return str(file)


@pytest.fixture
def connect(tryton: Server, contract: str) -> Iterator[Connect]:
    """Make clients; without a ledger of its own, each knows nothing of the others."""
    made: list[ERPClient] = []

    def make(url: str = "", **other: Any) -> ERPClient:
        known = {"username": plan.INTEGRATION, "password": plan.INTEGRATION_PASSWORD, "auth_type": "basic"}
        known |= {"contract": contract, "ledger": Ledger.in_memory(), **other}
        client = ERPClient(url or tryton.url, provider="Tryton", **known)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def erp(connect: Connect) -> ERPClient:
    return connect()


@pytest.fixture(scope="module")
def customer(books: Caller) -> str:
    """The code of a customer."""
    (party,) = books.search("party.party", [["name", "=", plan.CUSTOMER]], ["code"])
    return str(party["code"])


@pytest.fixture
def sr() -> str:
    """The number of a service request that no other test uses."""
    return f"SR-{uuid.uuid4().hex[:8]}"
