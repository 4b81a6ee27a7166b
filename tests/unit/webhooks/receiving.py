"""What the tests of the receiver share: senders of each kind, and a receiver on a real socket."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from pv_testing.ledger import Ledger
from pv_testing.webhooks.file import SourceSettings
from pv_testing.webhooks.receiver import Receiver, create_app
from pv_testing.webhooks.secrets import Secrets
from pv_testing.webhooks.settings import WebhookSettings
from pv_testing.webhooks.signatures import standard_headers
from pv_testing.webhooks.sources import EventSources
from pv_testing.webhooks.starting import Starter
from tests import yaml_text

SECRET, OTHER, REVOKED = ("whsec_" + letter * 32 for letter in "abc")
ENV = {"FIRST": SECRET, "SECOND": OTHER}
WAYS: Mapping[str, dict[str, Any]] = {
    "framework": {
        "verify": "body_signature", "event": "event", "time": "timestamp", "service_request": ["data.sr_number"],
        "starts": {"protocol.*": ["pv_results"], "service_request.created": ["pv_intake", "pv_projects"]},
    },
    "lims": {
        "verify": "standard_webhooks", "records": {"sample": "data.id"}, "starts": {"*": ["pv_status_sync"]},
    },
    "qms": {"verify": "github", "event": "action", "starts": {"*": ["pv_quality"]}},
    "pm": {"verify": "jira", "event": ["webhookEvent"], "starts": {"jira:*": ["pv_projects"]}},
    "erp": {"verify": "shared_secret", "header": "X-Lab-Secret", "id": "id", "starts": {"*": ["pv_invoicing"]}},
}  # fmt: skip


def contract(folder: Path, system: str, webhook: Mapping[str, Any]) -> str:
    """Write a contract with a section ``webhook`` and return its path."""
    path = folder / f"{system}.yaml"
    content = {
        "contract": 1, "system": system, "provider": "Test", "title": "Test", "webhook": dict(webhook),
        "operations": {"read": {"path": "/x"}},
    }  # fmt: skip
    path.write_text(yaml_text.dump(content))
    return str(path)


def settings(folder: Path, ways: Mapping[str, Mapping[str, Any]] = WAYS, **other: Any) -> WebhookSettings:
    """Return settings under which the systems may tell of events with either of two secrets."""
    sources = {
        system: SourceSettings(
            secrets=() if way["verify"] == "asana" else ("env:FIRST", "env:SECOND"),
            contract=contract(folder, system, way),
        )
        for system, way in ways.items()
    }
    return WebhookSettings(sources=sources, linger=0.05, **other)


@dataclass
class Runs:
    """Notes which runs are asked for, in Airflow's place."""

    started: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    after: dict[str, float] = field(default_factory=dict)
    queued: set[str] = field(default_factory=set)
    running: set[tuple[str, str]] = field(default_factory=set)
    fails: Exception | None = None

    def has_queued(self, dag_id: str) -> bool:
        return dag_id in self.queued

    def is_running(self, dag_id: str, run_id: str) -> bool:
        return (dag_id, run_id) in self.running

    def start(self, dag_id: str, run_id: str, conf: Mapping[str, Any], after: float = 0.0) -> None:
        if self.fails:
            raise self.fails
        self.after[dag_id] = after
        self.started.append((dag_id, run_id, dict(conf)))


def application(ledger: Ledger, known: WebhookSettings, folder: Path, trigger: Runs | None = None) -> Starlette:
    sources = EventSources(known, Secrets(folder / "secrets.json", env=ENV))
    made: list[Receiver] = []

    async def receiver() -> Receiver:
        if not made:
            starter = Starter(ledger, trigger, known.linger) if trigger else None
            made.append(Receiver(ledger, sources, known, starter))
        return made[0]

    return create_app(receiver)


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """Serve an application on a port of its own."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def framework(
    data: Mapping[str, Any], secret: str = SECRET, *, at: str = "", event: str = "protocol.completed"
) -> bytes:
    """Return a body as the framework signs it, made by plain Python and not by the product."""
    body = {"event": event, "timestamp": at or now(), "data": dict(data)}
    content = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps({**body, "signature": f"sha256={digest(secret, content)}"}).encode()


def digest(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def standard(body: bytes, secret: str = SECRET, message_id: str = "msg_1", at: float = 0.0) -> dict[str, str]:
    return standard_headers([secret], message_id, int(at or time.time()), body)
