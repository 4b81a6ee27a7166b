"""The receiver by itself, without Airflow in the same process: ``python -m pv_testing receive``."""

from __future__ import annotations

import uvicorn

from pv_testing.ledger import Ledger
from pv_testing.webhooks.airflow_rest import AirflowRest
from pv_testing.webhooks.receiver import Receiver, create_app
from pv_testing.webhooks.secrets import Secrets
from pv_testing.webhooks.settings import load_settings
from pv_testing.webhooks.sources import EventSources
from pv_testing.webhooks.starting import Starter

BACKLOG = 1_024
CLOSING_SECONDS = 5


def serve(ledger_url: str, host: str, port: int) -> None:
    """Take events until the process is ended; those that wait then are on the disk.

    Args:
        ledger_url: of the ledger, in SQLAlchemy's form.
        host: where it listens.
        port: its port.

    Raises:
        ConfigError: the settings can't be used.
    """
    settings = load_settings()
    sources = EventSources(settings, Secrets(settings.secrets_file))
    with Ledger(ledger_url) as ledger:
        made: list[Receiver] = []

        async def receiver() -> Receiver:
            if not made:
                trigger = AirflowRest(settings.rest_url) if settings.rest_url else None
                starter = Starter(ledger, trigger, settings.linger) if trigger else None
                made.append(Receiver(ledger, sources, settings, starter))
            return made[0]

        config = uvicorn.Config(
            create_app(receiver), host=host, port=port, log_config=None, access_log=False, lifespan="off",
            server_header=False, backlog=BACKLOG, timeout_graceful_shutdown=CLOSING_SECONDS,
        )  # fmt: skip
        print(f"taking events of {', '.join(settings.sources) or 'no system'} at http://{host}:{port}", flush=True)
        uvicorn.Server(config).run()
