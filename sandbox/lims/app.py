"""The LIMS as an application that a server can run."""

from __future__ import annotations

from fastapi import APIRouter

from sandbox import oauth
from sandbox.application import application
from sandbox.cache import SharedCache
from sandbox.gate import Application, Gate
from sandbox.lims import api, lab
from sandbox.lims.naive import NaiveRecords
from sandbox.lims.records import LimsRecords
from sandbox.settings import Naive
from sandbox.system import System

_LOGIN = APIRouter(prefix="/api/v2")
_LOGIN.include_router(oauth.router)


def build(system: System, *, idempotency: bool = False, naive: Naive | None = None) -> Application:
    """Return the LIMS's application.

    Args:
        system: its store, callers and faults.
        idempotency: whether ``Idempotency-Key`` is honoured.
        naive: makes it one that checks nothing twice, with this lag and this cache.
    """
    records = NaiveRecords(system.store, naive.lag) if naive else LimsRecords(system.store)
    app = application("LIMS", "2.0.0", "/api/v2", system, records, (api.router, lab.router, _LOGIN))
    app.state.idempotency = idempotency and not naive
    gate = Gate(app, system)
    return SharedCache(gate, system.log, naive.cache) if naive and naive.cache else gate
