"""What the project adds to Airflow beside hooks and operators; those come from the provider information in ``hooks``.

Airflow runs this module twice in one process, therefore it has no side effects. It does so in every process, therefore
what the web server alone needs is imported with the first request.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin


async def charts(scope: Any, receive: Any, send: Any) -> None:
    """Serve the charts of CAPA findings; an ASGI application.

    Args:
        scope: of the request.
        receive: gives what the caller sends.
        send: takes what the caller is told.
    """
    from web.charts import app

    await app(scope, receive, send)


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
    fastapi_apps = [  # noqa: RUF012
        {"app": charts, "url_prefix": "/pv/charts", "name": "PV testing charts"},
        {"app": webhooks, "url_prefix": "/pv/webhooks", "name": "PV testing webhooks"},
    ]
