"""A receiver that runs alone starts runs through Airflow's API: each once, with a token that is fetched anew."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pv_testing.core.errors import AuthenticationError, ConfigError, NetworkError
from pv_testing.webhooks.airflow_rest import AirflowRest


class Airflow:
    """Answers as Airflow's API does to what the receiver asks."""

    def __init__(self) -> None:
        self.logins = 0
        self.runs: dict[str, dict] = {}
        self.broken = False

    def answer(self, method: str, path: str, token: str, body: dict) -> tuple[int, dict]:
        if path == "/auth/token":
            self.logins += 1
            known = body == {"username": "pv", "password": "a password"}
            return (201, {"access_token": f"token-{self.logins}"}) if known else (401, {})
        if token != f"Bearer token-{self.logins}" or not self.logins:
            return 401, {}
        if self.broken:
            return 500, {"detail": "no"}
        if method == "GET":
            run_id = path.rpartition("/dagRuns/")[2] if "/dagRuns/" in path else ""
            if run_id and run_id not in self.runs:
                return 404, {"detail": "no such run"}
            return 200, self.runs[run_id] if run_id else {"total_entries": len(self.runs)}
        if body["dag_run_id"] in self.runs:
            return 409, {}
        self.runs[body["dag_run_id"]] = body
        return 200, body


@pytest.fixture
def airflow() -> Iterator[tuple[Airflow, str]]:
    known = Airflow()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = self.headers.get("Authorization") or ""
            status, body = known.answer(self.command, self.path, token, json.loads(content or b"{}"))
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield known, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_run_is_started_once_and_a_refused_token_is_fetched_anew(airflow) -> None:
    known, url = airflow
    trigger = AirflowRest(url, "pv", "a password")
    assert not trigger.has_queued("pv_results")
    for _ in range(2):
        trigger.start("pv_results", "webhook__lims__1", {"sr": "SR-1"})
    assert known.runs["webhook__lims__1"]["conf"] == {"sr": "SR-1"}
    assert trigger.has_queued("pv_results")
    trigger._token = "expired"
    trigger.start("pv_results", "webhook__lims__2", {}, 60)
    assert (known.logins, len(known.runs)) == (2, 2)
    begin = datetime.fromisoformat(known.runs["webhook__lims__2"]["run_after"])
    assert 0 < (begin - datetime.now(timezone.utc)).total_seconds() <= 60
    assert "run_after" not in known.runs["webhook__lims__1"]


@pytest.mark.parametrize(("state", "running"), [("queued", True), ("running", True), ("success", False)])
def test_a_run_is_running_until_it_has_ended(airflow, state: str, running: bool) -> None:
    known, url = airflow
    known.runs["run-1"] = {"state": state}
    assert AirflowRest(url, "pv", "a password").is_running("pv_results", "run-1") is running


def test_a_run_that_is_not_there_is_not_running(airflow) -> None:
    _, url = airflow
    assert not AirflowRest(url, "pv", "a password").is_running("pv_results", "run-1")


def test_what_goes_wrong_is_said_in_words(airflow) -> None:
    known, url = airflow
    with pytest.raises(AuthenticationError):
        AirflowRest(url, "pv", "wrong password").has_queued("pv_results")
    trigger = AirflowRest(url, "pv", "a password")
    known.broken = True
    with pytest.raises(NetworkError, match="500"):
        trigger.start("pv_results", "x", {})
    with pytest.raises(NetworkError, match="reached"):
        AirflowRest("http://127.0.0.1:9", "pv", "a password").has_queued("x")
    with pytest.raises(ConfigError):
        AirflowRest(url)
