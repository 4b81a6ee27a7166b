"""A hundred thousand hostile requests to the receiver: each is answered with 4xx and leaves nothing."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from pathlib import Path

from starlette.testclient import TestClient

from pv_testing.ledger import Ledger
from tests.chaos import hostile_requests
from tests.unit.webhooks import receiving

NUMBER = 100_000


def all_refused(seed: int, number: int = NUMBER) -> bool:
    """Send the requests, print what came of them, and return whether each was refused."""
    print(f"{number:,} hostile requests to the receiver of webhooks, seed {seed}", flush=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="pv-chaos-") as name:
        folder = Path(name)
        with Ledger(f"sqlite:///{folder / 'ledger.sqlite'}") as ledger:
            app = receiving.application(ledger, receiving.settings(folder), folder)
            answers: Counter[int] = Counter()
            with TestClient(app, raise_server_exceptions=False) as client:
                for each in hostile_requests.requests(number, seed):
                    headers = {key: value.encode("latin-1", "ignore") for key, value in each.headers.items()}
                    answers[client.post(each.path, content=each.body, headers=headers).status_code] += 1
            kept = ledger.inbox.counts()
    refused = not kept and all(400 <= status < 500 for status in answers)
    print(f"  answers by status: {dict(sorted(answers.items()))}; events kept: {sum(kept.values())}")
    print("  each was refused" if refused else "  NOT EACH WAS REFUSED", flush=True)
    return refused
