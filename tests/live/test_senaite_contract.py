"""SENAITE keeps the contract that every LIMS provider keeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.lims import LIMSContract, LimsSite
from tests.live.round_trip import API, impatient
from tests.live.senaite import plan
from tests.live.senaite.server import Server
from tests.live.test_senaite_facts import Caller

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def site(senaite: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LimsSite]:
    settings = {
        "provider": "SENAITE",
        "contract": str(impatient(tmp_path_factory.mktemp("contract"))),
        "auth_type": "basic",
        "username": plan.INTEGRATION,
        "password": plan.INTEGRATION_PASSWORD,
    }
    with Caller(senaite, plan.VERIFIER, plan.VERIFIER_PASSWORD) as laboratory:
        yield LimsSite(
            base_url=senaite.url,
            settings=settings,
            wrong={"password": "wrong"},
            receive=lambda ids: [laboratory.update(uid, transition="receive") for uid in ids],
            statuses=("Received", "In Testing"),
            write=f"POST {API}/*",
        )


class TestSenaite(LIMSContract):
    """The contract."""
