"""The PM as an application that a server can run."""

from __future__ import annotations

from fastapi import FastAPI

from sandbox import control, problems
from sandbox.gate import Gate
from sandbox.pm import api
from sandbox.pm.records import Records
from sandbox.system import System


def build(system: System) -> Gate:
    """Return the PM's application.

    Args:
        system: its store, callers and faults.
    """
    app = FastAPI(title="Sandbox PM", version="1.0.0", openapi_url="/api/openapi.json")
    app.state.system = system
    app.state.records = Records(system.store)
    problems.install(app)
    for each in (api.router, control.router):
        app.include_router(each)
    return Gate(app, system)
