"""Calls of Airflow's API go on while the API or its database is gone for a moment."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest
import requests

from cluster.patient import PatientApi


class Flaky(BaseHTTPRequestHandler):
    """Answers with the statuses that it is given, one after the other; 0 closes the connection without an answer."""

    statuses: ClassVar[list[int]] = []
    seen: ClassVar[list[str]] = []

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append(f"{self.command} {self.path}")
        status = self.statuses.pop(0)
        if not status:
            self.close_connection = True
            return
        body = json.dumps({"state": "success", "access_token": "t"}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 - names of the standard library

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def api() -> Iterator[PatientApi]:
    server = HTTPServer(("127.0.0.1", 0), Flaky)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Flaky.seen.clear()
    api = PatientApi(f"http://127.0.0.1:{server.server_port}", '{"admin": "secret"}')
    yield api
    api._session.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_error_and_a_lost_answer_are_asked_again(api: PatientApi) -> None:
    Flaky.statuses = [500, 0, 200]
    assert api.finished("pv_intake", "run") == "success"
    assert len(Flaky.seen) == 3


def test_a_run_whose_start_was_answered_by_nothing_is_not_started_twice(api: PatientApi) -> None:
    Flaky.statuses = [0, 409]
    api.trigger("pv_intake", "run", {})
    assert Flaky.statuses == []


@pytest.mark.parametrize("status", [401, 404, 422])
def test_a_refusal_is_no_reason_to_ask_again(api: PatientApi, status: int) -> None:
    Flaky.statuses = [status]
    with pytest.raises(requests.HTTPError, match=str(status)):
        api.get("dags")
    assert len(Flaky.seen) == 1


def test_the_administrator_logs_in_with_the_secret(api: PatientApi) -> None:
    Flaky.statuses = [503, 201]
    api.log_in()
    assert api._session.headers["Authorization"] == "Bearer t"
