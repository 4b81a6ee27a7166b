"""The generic provider against the sandbox ERP."""

from __future__ import annotations

import pytest

import sandbox
from tests.contract.erp import ERPContract, ErpSite

CUSTOMER = "Solar Corporation"


@pytest.fixture(scope="module")
def site():
    with sandbox.serve() as lab:
        lab.control("erp", "POST", "customers", {"name": CUSTOMER})
        yield ErpSite(
            base_url=lab.url("erp"),
            settings={"client_id": lab.credentials.erp_client_id, "client_secret": lab.credentials.erp_client_secret},
            wrong={"client_secret": "wrong"},
            customer=CUSTOMER,
            product="PV-MODULE",
            write="POST /api/[!o]*",
        )


class TestSandboxERP(ERPContract):
    """The contract."""
