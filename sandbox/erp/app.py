"""The ERP as an application that a server can run."""

from __future__ import annotations

from fastapi import FastAPI

from sandbox import control, oauth, problems
from sandbox.erp import api, lab
from sandbox.erp.records import Records
from sandbox.gate import Gate
from sandbox.system import System


def build(system: System) -> Gate:
    """Return the ERP's application.

    Args:
        system: its store, callers and faults.
    """
    app = FastAPI(title="Sandbox ERP", version="1.0.0", openapi_url="/api/openapi.json")
    app.state.system = system
    app.state.records = Records(system.store)
    problems.install(app)
    for each in (oauth.router, api.router, control.router, lab.router):
        app.include_router(each)
    return Gate(app, system)
