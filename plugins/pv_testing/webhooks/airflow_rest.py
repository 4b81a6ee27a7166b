"""Starts runs through Airflow's public REST API, for a receiver that runs outside of Airflow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

from pv_testing.core.errors import AuthenticationError, ConfigError, NetworkError
from pv_testing.core.redaction import conceal
from pv_testing.workflow.request_locks import UNFINISHED

TIMEOUT = 10.0
_CONFLICT, _NOT_FOUND, _UNAUTHORIZED, _BAD = 409, 404, 401, 400


class AirflowRest:
    """A :class:`~pv_testing.webhooks.starting.Trigger` over HTTP.

    Args:
        url: Airflow's address.
        username: who may start the DAGs; ``PV_AIRFLOW_USERNAME`` without it.
        password: theirs; ``PV_AIRFLOW_PASSWORD`` without it.
    """

    def __init__(self, url: str, username: str = "", password: str = "") -> None:
        import requests

        self._url = url.rstrip("/")
        self._username = username or os.environ.get("PV_AIRFLOW_USERNAME", "")
        self._password = password or os.environ.get("PV_AIRFLOW_PASSWORD", "")
        if not (self._username and self._password):
            text = "a receiver that starts DAGs needs PV_AIRFLOW_USERNAME and PV_AIRFLOW_PASSWORD"
            raise ConfigError(text, code="SETTING_MISSING")
        conceal(self._password)
        self._session = requests.Session()
        self._session.trust_env = False
        self._token = ""

    def has_queued(self, dag_id: str) -> bool:
        """Say whether a run of the DAG has not begun yet."""
        answer = self._call("GET", f"dags/{quote(dag_id, safe='')}/dagRuns?state=queued&limit=1")
        return bool(answer.get("total_entries"))

    def is_running(self, dag_id: str, run_id: str) -> bool:
        """Say whether a run is running, or will be."""
        path = f"dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"
        return self._call("GET", path, empty=_NOT_FOUND).get("state") in UNFINISHED

    def start(self, dag_id: str, run_id: str, conf: Mapping[str, Any], after: float = 0.0) -> None:
        """Start a run; one that is there already under this id is left as it is."""
        run: dict[str, Any] = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        if after:  # else at once, whatever the clocks of both machines say
            run["run_after"] = (datetime.now(timezone.utc) + timedelta(seconds=after)).isoformat()
        self._call("POST", f"dags/{quote(dag_id, safe='')}/dagRuns", run, empty=_CONFLICT)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, empty: int = 0) -> dict[str, Any]:
        for fresh in (False, True):
            answer = self._send(method, f"api/v2/{path}", body, self._bearer(fresh=fresh))
            if answer.status_code != _UNAUTHORIZED:
                break
        if answer.status_code == _UNAUTHORIZED:
            raise AuthenticationError("Airflow doesn't accept PV_AIRFLOW_USERNAME and PV_AIRFLOW_PASSWORD")
        if answer.status_code == empty:
            return {}
        if answer.status_code >= _BAD:
            raise NetworkError(f"Airflow answers {answer.status_code} to {method} {path}", excerpt=answer.text[:300])
        return dict(answer.json())

    def _bearer(self, *, fresh: bool) -> str:
        if fresh or not self._token:
            answer = self._send("POST", "auth/token", {"username": self._username, "password": self._password}, "")
            if answer.status_code >= _BAD:
                raise AuthenticationError("Airflow doesn't accept PV_AIRFLOW_USERNAME and PV_AIRFLOW_PASSWORD")
            self._token = str(answer.json()["access_token"])
            conceal(self._token)
        return self._token

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, token: str) -> Any:
        import requests

        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return self._session.request(
                method, f"{self._url}/{path}", json=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            raise NetworkError(f"Airflow can't be reached: {type(error).__name__}") from None
