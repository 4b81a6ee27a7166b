"""Puts a system's application together from its routers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI

from sandbox import control, problems
from sandbox.system import System


def application(
    title: str, version: str, prefix: str, system: System, records: Any, routers: Sequence[APIRouter]
) -> FastAPI:
    """Return an application that serves a system's API and its control endpoints.

    Args:
        title: of the OpenAPI description.
        version: of the API.
        prefix: of the API's paths; the OpenAPI description is there, too.
        system: its store, callers and faults.
        records: the system's own records.
        routers: the system's own routes, in the order in which they are tried.
    """
    app = FastAPI(title=f"Sandbox {title}", version=version, openapi_url=f"{prefix}/openapi.json")
    app.state.system = system
    app.state.records = records
    problems.install(app)
    for router in (*routers, control.router):
        app.router.routes += router.routes  # as they are: to make them anew takes most of a sandbox's start
    return app
