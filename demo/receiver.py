"""``python -m demo.receiver``: a program of somebody else that is told of events, and believes none unverified.

It knows nothing of this project. The headers are verified by the library ``standardwebhooks``, the signature in the
body as the integration guide describes it. What was received is noted in a file, one JSON object in each line.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from standardwebhooks import Webhook, WebhookVerificationError

SECRET = "DEMO_WEBHOOK_SECRET"  # noqa: S105 - the name of the variable that holds it
MOST_BYTES = 1 << 20
TIMEOUT = 30.0


class Receiver(ThreadingHTTPServer):
    """Takes events on a free port of this machine.

    Args:
        secret: with which events are signed; ``whsec_`` and base64.
        notes: the file of what was received.
    """

    def __init__(self, secret: str, notes: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.secret = secret
        self._notes = notes
        self._lock = threading.Lock()

    def accept(self, body: bytes, headers: dict[str, str]) -> bool:
        """Note an event and return whether it is genuine."""
        problem = problem_of(self.secret, body, headers)
        event = "" if problem else json.loads(body)["event"]
        note = {"id": headers.get("webhook-id", ""), "event": event, "problem": problem}
        with self._lock, self._notes.open("a", encoding="utf-8") as sink:
            sink.write(json.dumps(note) + "\n")
        return not problem


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT
    server: Receiver

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(min(length, MOST_BYTES))
        genuine = self.server.accept(body, {name.lower(): value for name, value in self.headers.items()})
        self.send_response(204 if genuine else 401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing; the notes have it."""


def problem_of(secret: str, body: bytes, headers: dict[str, str]) -> str:
    """Return why an event is not genuine; empty when both signatures are right.

    Args:
        secret: with which it is signed.
        body: as it came.
        headers: with small letters.
    """
    try:
        Webhook(secret).verify(body, headers)
    except (WebhookVerificationError, ValueError) as error:
        return f"headers: {error}"
    content = json.loads(body)
    signature = str(content.pop("signature", ""))
    covered = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    expected = "sha256=" + hmac.new(secret.encode(), covered, hashlib.sha256).hexdigest()
    return "" if hmac.compare_digest(signature, expected) else "body: the signature is another one"


def main() -> None:
    """Serve until the process is stopped; the first line says where."""
    parser = argparse.ArgumentParser(prog="python -m demo.receiver", description=__doc__)
    parser.add_argument("--notes", type=Path, required=True, help="the file of what was received")
    receiver = Receiver(os.environ[SECRET], parser.parse_args().notes)
    print(json.dumps({"url": f"http://127.0.0.1:{receiver.server_port}/events"}), flush=True)
    receiver.serve_forever()


if __name__ == "__main__":
    main()
