"""The QMS as an application that a server can run."""

from __future__ import annotations

from fastapi import FastAPI

from sandbox import control, oauth, problems
from sandbox.gate import Gate
from sandbox.qms import api, lab
from sandbox.qms.records import Records
from sandbox.system import System


def build(system: System) -> Gate:
    """Return the QMS's application.

    Args:
        system: its store, callers and faults.
    """
    app = FastAPI(title="Sandbox QMS", version="1.0.0", openapi_url="/api/openapi.json")
    app.state.system = system
    app.state.records = Records(system.store)
    problems.install(app)
    for each in (oauth.router, api.router, control.router, lab.router):
        app.include_router(each)
    return Gate(app, system)
