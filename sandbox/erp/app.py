"""The ERP as an application that a server can run."""

from __future__ import annotations

from sandbox import oauth
from sandbox.application import application
from sandbox.erp import api, lab
from sandbox.erp.records import ErpRecords
from sandbox.gate import Gate
from sandbox.system import System


def build(system: System) -> Gate:
    """Return the ERP's application.

    Args:
        system: its store, callers and faults.
    """
    routers = (oauth.router, api.router, lab.router)
    return Gate(application("ERP", "1.0.0", "/api", system, ErpRecords(system.store), routers), system)
