"""The LIMS as an application that a server can run."""

from __future__ import annotations

from fastapi import FastAPI

from sandbox import control, oauth, problems
from sandbox.cache import SharedCache
from sandbox.gate import Application, Gate
from sandbox.lims import api, lab
from sandbox.lims.naive import NaiveRecords
from sandbox.lims.records import Records
from sandbox.settings import Naive
from sandbox.system import System


def build(system: System, *, idempotency: bool = False, naive: Naive | None = None) -> Application:
    """Return the LIMS's application.

    Args:
        system: its store, callers and faults.
        idempotency: whether ``Idempotency-Key`` is honoured.
        naive: makes it one that checks nothing twice, with this lag and this cache.
    """
    app = FastAPI(title="Sandbox LIMS", version="2.0.0", openapi_url="/api/v2/openapi.json")
    app.state.system = system
    app.state.records = NaiveRecords(system.store, naive.lag) if naive else Records(system.store)
    app.state.idempotency = idempotency and not naive
    problems.install(app)
    app.include_router(oauth.router, prefix="/api/v2")
    for each in (api.router, control.router, lab.router):
        app.include_router(each)
    gate = Gate(app, system)
    return SharedCache(gate, system.log, naive.cache) if naive and naive.cache else gate
