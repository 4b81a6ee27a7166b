"""Airflow's API as somebody calls it while its processes die: calls are repeated until the API answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import requests
from tenacity import retry, retry_if_exception, stop_after_delay, wait_exponential

from demo.api import TIMEOUT, Api

PATIENCE = 300.0
CONFLICT = 409
SERVER_ERROR = 500


def passing(error: BaseException) -> bool:
    """Whether a call that failed may succeed later: nothing answered, or the API couldn't reach its database."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code >= SERVER_ERROR
    return isinstance(error, (requests.ConnectionError, requests.Timeout))


patiently = retry(
    retry=retry_if_exception(passing),
    stop=stop_after_delay(PATIENCE),
    wait=wait_exponential(multiplier=0.5, max=10),
    reraise=True,
)


class PatientApi(Api):
    """Airflow's API, called by a user of ``compose.yaml``.

    Args:
        url: the address of the API server.
        users: the passwords by user, as JSON.
        user: the caller.
    """

    def __init__(self, url: str, users: str, user: str = "admin") -> None:
        super().__init__(url)
        self._user, self._password = user, json.loads(users)[user]

    @patiently
    def log_in(self) -> None:
        """Fetch a token for the user."""
        known = {"username": self._user, "password": self._password}
        answer = self._session.post(f"{self.url}/auth/token", json=known, timeout=TIMEOUT)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """Start a run; one that an earlier call started without an answer counts as started."""
        try:
            super().trigger(dag_id, run_id, conf)
        except requests.HTTPError as error:
            if error.response is None or error.response.status_code != CONFLICT:
                raise

    @patiently
    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None
    ) -> Any:
        return super()._call(method, path, body, query)
