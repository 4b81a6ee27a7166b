"""How a product makes sure that its events are wanted here, before it sends the first one.

Asana hands its secret over with the first request, which nothing signs. Whoever comes first could hand over one of
their own; therefore it is taken only for a while after a person has said that it is expected, and once.
"""

from __future__ import annotations

import re
import time

from pv_testing.core.errors import ConfigError
from pv_testing.ledger import Ledger
from pv_testing.webhooks.sources import EventSources, handed_over

ASANA = "X-Hook-Secret"
KNOWN = frozenset({"asana", "business_central"})
MINUTE = 60.0
_TOKEN = re.compile(r"[\w.~+/=:-]{1,512}", re.ASCII)
_SECRET = re.compile(r"[\x21-\x7e]{16,512}")


def validation_token(text: str) -> str:
    """Return what Business Central wants to read again; nothing where it could be more than a token."""
    return text if _TOKEN.fullmatch(text) else ""


def expect(ledger: Ledger, system: str, minutes: float) -> float:
    """Take a secret from a system for a while; return until when, in epoch seconds.

    Args:
        ledger: where that is kept.
        system: from which.
        minutes: for how long.
    """
    until = time.time() + minutes * MINUTE
    ledger.update(_name(system), lambda _: until, 0.0)
    return until


def accept(ledger: Ledger, sources: EventSources, system: str, secret: str) -> bool:
    """Keep a secret that a system hands over, if that is expected; say whether it was.

    Args:
        ledger: where is kept that it is expected.
        sources: takes it.
        system: who hands it over.
        secret: what it hands over.
    """
    if not _SECRET.fullmatch(secret) or ledger.state(_name(system), 0.0) < time.time():
        return False
    try:
        sources.secrets.referred(secret, handed_over(system))
    except ConfigError:
        return False
    ledger.update(_name(system), lambda _: 0.0, 0.0)
    sources.forget(system)
    return True


def _name(system: str) -> str:
    return f"webhooks/expected/{system}"
