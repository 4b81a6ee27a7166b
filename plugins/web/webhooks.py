"""The receiver of webhooks within Airflow's web server, below ``/pv/webhooks``.

It is the one application here without a user: who sends shows with each request that the event is the system's own. It
is made with the first request; what an earlier process has left is started then, and by the DAG ``pv_webhooks``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from hooks.ledger import LedgerHook
from hooks.webhooks import WebhookHook
from pv_testing.ledger import Ledger
from pv_testing.webhooks.receiver import Receiver, create_app
from pv_testing.webhooks.settings import load_settings
from pv_testing.webhooks.sources import EventSources
from pv_testing.webhooks.starting import Starter
from pv_testing.workflow.request_locks import UNFINISHED

USER = "webhook"


class InProcess:
    """Starts runs in Airflow's own database, without its REST API and a token for it."""

    def has_queued(self, dag_id: str) -> bool:
        """Say whether a run of the DAG has not begun yet."""
        return self._has_run(dag_id, state="queued")

    def is_running(self, dag_id: str, run_id: str) -> bool:
        """Say whether a run is running, or will be."""
        return any(self._has_run(dag_id, state=state, run_id=run_id) for state in UNFINISHED)

    @staticmethod
    def _has_run(dag_id: str, **wanted: str) -> bool:
        from airflow.models import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            return session.scalar(select(DagRun.id).filter_by(dag_id=dag_id, **wanted).limit(1)) is not None

    def start(self, dag_id: str, run_id: str, conf: Mapping[str, Any], after: float = 0.0) -> None:
        """Start a run; one that is there already under this id is left as it is."""
        from airflow.api.common.trigger_dag import trigger_dag
        from airflow.exceptions import DagRunAlreadyExists
        from airflow.utils.types import DagRunTriggeredByType

        by = DagRunTriggeredByType.REST_API
        begin = datetime.now(timezone.utc) + timedelta(seconds=after)
        try:
            trigger_dag(
                dag_id, run_id=run_id, conf=dict(conf), run_after=begin, triggered_by=by, triggering_user_name=USER
            )
        except DagRunAlreadyExists:
            return


class _Made:
    """The receiver of this process, made once in each event loop."""

    def __init__(self) -> None:
        self._receivers: dict[int, Receiver] = {}
        self._lock = asyncio.Lock()

    async def __call__(self) -> Receiver:
        loop = id(asyncio.get_running_loop())
        if loop not in self._receivers:
            async with self._lock:
                if loop not in self._receivers:
                    made = await asyncio.to_thread(_parts)
                    self._receivers[loop] = receiver = Receiver(*made, Starter(made[0], InProcess(), made[2].linger))
                    receiver.begin()
        return self._receivers[loop]


def _parts() -> tuple[Ledger, EventSources, Any]:
    settings = load_settings()
    return LedgerHook().get_conn(), EventSources(settings, WebhookHook.secrets(settings)), settings


app = create_app(_Made())
