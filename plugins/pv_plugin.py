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
    """Return what Airflow tells of its processes and, where OpenLineage has a transport, of its failed tasks."""
    from operators.preload_listener import PreloadListener

    if is_disabled():
        return [PreloadListener()]
    from operators.lineage_listener import LineageListener

    return [PreloadListener(), LineageListener()]


async def webhooks(scope: Any, receive: Any, send: Any) -> None:
    """Take events of the laboratory's systems; an ASGI application.

    Args:
        scope: of the request.
        receive: gives what the caller sends.
        send: takes what the caller is told.
    """
    from web.webhooks import app

    await app(scope, receive, send)


class PVTestingPlugin(AirflowPlugin):
    """Makes the project visible on Airflow's list of plugins, serves its charts and takes webhooks."""

    name = "pv_testing"
    listeners = listeners()
    fastapi_apps = [  # noqa: RUF012
        {"app": charts, "url_prefix": "/pv/charts", "name": "PV testing charts"},
        {"app": webhooks, "url_prefix": "/pv/webhooks", "name": "PV testing webhooks"},
    ]
