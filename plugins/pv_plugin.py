"""The project's Airflow plugin; hooks and operators come from the provider information in ``hooks`` instead.

Airflow runs this module twice in one process, therefore it has no side effects. It does so in every process, therefore
imports that only the web server needs happen with the first request.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow.providers.openlineage.conf import is_disabled


async def charts(scope: Any, receive: Any, send: Any) -> None:
    """Serve the charts of CAPA findings; an ASGI application.

    Args:
        scope: of the request.
        receive: gives the caller's messages.
        send: takes the messages to the caller.
    """
    from web.charts import app

    await app(scope, receive, send)


def listeners() -> list[Any]:
    """Return what stands around OpenLineage's listener; nothing where no transport is configured."""
    if is_disabled():
        return []
    from operators.lineage_listener import LineageListener

    return [LineageListener()]


class PVTestingPlugin(AirflowPlugin):
    """Makes the project visible on Airflow's list of plugins, and its charts below ``/pv/charts``."""

    name = "pv_testing"
    fastapi_apps = [{"app": charts, "url_prefix": "/pv/charts", "name": "PV testing charts"}]  # noqa: RUF012
    listeners = listeners()
