"""Clients of Redmine that know nothing of each other, and Redmine's own view of what is there."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pv_testing.integrations import PMClient, QMSClient
from pv_testing.integrations.client import SystemClient
from pv_testing.ledger import Ledger
from tests.live.redmine import plan
from tests.live.redmine.server import Server
from tests.live.test_redmine_facts import Laboratory

Connect = Callable[..., Any]


@pytest.fixture(scope="module")
def lab(redmine: Server) -> Iterator[Laboratory]:
    """Redmine's own view of what is there."""
    with Laboratory(redmine) as caller:
        yield caller


@pytest.fixture
def connect(redmine: Server, lab: Laboratory) -> Iterator[Connect]:
    """Make clients; without a ledger of its own, each knows nothing of the others."""
    made: list[SystemClient] = []

    def make(kind: type[SystemClient] = PMClient, url: str = "", project: str = plan.PROJECT, **other: Any) -> Any:
        fields = {"issue_key_field": lab.fields["issue"], "time_entry_key_field": lab.fields["time_entry"]}
        options = {"project": project, **fields, **other.pop("options", {})}
        known = {"api_key": plan.INTEGRATION_KEY, "ledger": Ledger.in_memory(), **other}
        client = kind(url or redmine.url, provider="Redmine", auth_type="api_key", options=options, **known)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def pm(connect: Connect) -> PMClient:
    return connect()


@pytest.fixture
def qms(connect: Connect) -> QMSClient:
    return connect(QMSClient, project=plan.QUALITY)


@pytest.fixture
def sr() -> str:
    """The number of a service request that no other test uses."""
    return f"SR-2025-{uuid.uuid4().hex[:8]}"
