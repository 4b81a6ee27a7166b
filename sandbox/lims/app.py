"""The LIMS as an application that a server can run."""

from __future__ import annotations

from fastapi import FastAPI

from sandbox import control, oauth, problems
from sandbox.gate import Gate
from sandbox.lims import api, lab
from sandbox.lims.records import Records
from sandbox.system import System


def build(system: System, *, idempotency: bool = False) -> Gate:
    """Return the LIMS's application.

    Args:
        system: its store, callers and faults.
        idempotency: whether ``Idempotency-Key`` is honoured.
    """
    app = FastAPI(title="Sandbox LIMS", version="2.0.0", openapi_url="/api/v2/openapi.json")
    app.state.system = system
    app.state.records = Records(system.store)
    app.state.idempotency = idempotency
    problems.install(app)
    app.include_router(oauth.router, prefix="/api/v2")
    for each in (api.router, control.router, lab.router):
        app.include_router(each)
    return Gate(app, system)
