"""The PM as an application that a server can run."""

from __future__ import annotations

from sandbox.application import application
from sandbox.gate import Gate
from sandbox.pm import api
from sandbox.pm.records import PmRecords
from sandbox.system import System


def build(system: System) -> Gate:
    """Return the PM's application.

    Args:
        system: its store, callers and faults.
    """
    routers = (api.router,)
    return Gate(application("PM", "1.0.0", "/api", system, PmRecords(system.store), routers), system)
