"""A ledger, a receiver on a real socket, and a manager that may reach it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pv_testing.ledger import Ledger
from pv_testing.webhooks import WebhookManager
from pv_testing.webhooks.addresses import Guard
from pv_testing.webhooks.secrets import Secrets
from pv_testing.webhooks.settings import WebhookSettings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Told:
    """What a receiver was told, and what it answers.

    Attributes:
        requests: path, headers and body of each request, in their order.
        answers: statuses of the next answers, with headers; 200 when they are used up.
        delay: seconds that it takes for an answer.
        url: the receiver's address.
    """

    url: str = ""
    delay: float = 0.0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.requests]


@pytest.fixture
def told() -> Iterator[Told]:
    known = Told()
    lock = threading.Lock()

    class Receiver(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                headers = {name.lower(): value for name, value in self.headers.items()}
                known.requests.append((self.path, headers, body))
                status, extra = known.answers.pop(0) if known.answers else (200, {})
            time.sleep(known.delay)
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    known.url = f"http://127.0.0.1:{server.server_port}/webhook"
    yield known
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["file", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request, tmp_path) -> str:
    """Give the URL of an empty database that several connections can share, once of each kind."""
    if request.param == "file":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    return request.getfixturevalue("schema")


@pytest.fixture
def ledger(url) -> Iterator[Ledger]:
    with Ledger(url) as opened:
        yield opened


@pytest.fixture
def here() -> WebhookSettings:
    return WebhookSettings(guard=Guard.of(["127.0.0.0/8"], allow_http=True))


@pytest.fixture
def manager(ledger: Ledger, here: WebhookSettings, tmp_path: Path) -> WebhookManager:
    secrets = Secrets(tmp_path / "secrets.json", env={"SECRET": SECRET, "OTHER": SECRET.replace("Mf", "Nf")})
    return WebhookManager(ledger, settings=here, secrets=secrets, owner="ada")
