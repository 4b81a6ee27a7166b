"""The QMS as an application that a server can run."""

from __future__ import annotations

from sandbox import oauth
from sandbox.application import application
from sandbox.gate import Gate
from sandbox.qms import api, lab
from sandbox.qms.records import QmsRecords
from sandbox.system import System


def build(system: System) -> Gate:
    """Return the QMS's application.

    Args:
        system: its store, callers and faults.
    """
    routers = (oauth.router, api.router, lab.router)
    return Gate(application("QMS", "1.0.0", "/api", system, QmsRecords(system.store), routers), system)
