"""A framework that ignores the filter of a listing is noticed before all of its pages are read."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pv_testing.core.sync import run
from pv_testing.integrations import FrameworkClient
from pv_testing.ledger import Ledger
from pv_testing.workflow.changes import REQUESTS, changed_since

TOKENS = {"access_token": "t", "token_type": "bearer", "expires_in": 3600, "refresh_token": "r"}


class _Ignoring(BaseHTTPRequestHandler):
    """Lists what has changed long ago, whatever it is asked for."""

    def do_GET(self):
        self.server.listings += 1
        rows = [{"id": number, "updated_at": "2025-01-01T00:00:00Z"} for number in range(100)]
        self._answer({"total": 10_000, "pages": 100, "data": rows})

    def do_POST(self):
        self._answer(TOKENS)

    def _answer(self, content):
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_a_filter_that_is_ignored_is_noticed_on_the_first_page(caplog):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Ignoring)
    server.listings = 0
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/api/v1"
        with closing(FrameworkClient(address, ledger=Ledger.in_memory(), username="u", password="p")) as client:
            assert run(changed_since(client, REQUESTS, time.time())) is None
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert server.listings == 1
    assert "doesn't ask for; everything is read" in caplog.text
