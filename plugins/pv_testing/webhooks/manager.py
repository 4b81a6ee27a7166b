"""The integration guide's ``WebhookManager``: who is told of events is registered, paused and removed."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pv_testing.config import configured_ledger_url, load_config
from pv_testing.core.actor import actor
from pv_testing.core.errors import ConfigError, DataError
from pv_testing.core.problems import allowed
from pv_testing.core.reasons import Reason
from pv_testing.core.sync import run
from pv_testing.domain.events import EVENTS, matches
from pv_testing.ledger import Ledger
from pv_testing.ledger.endpoints import Change, Endpoint, EndpointState, SecretName
from pv_testing.webhooks.addresses import resolve
from pv_testing.webhooks.delivery import Deliverer, DeliveryReport
from pv_testing.webhooks.secrets import Secrets, fingerprint
from pv_testing.webhooks.settings import WebhookSettings, load_settings

if TYPE_CHECKING:
    from typing_extensions import Self

HOUR = 3_600.0
OVERLAP_HOURS = 24.0


class WebhookManager:
    """Registers endpoints that are told of events, and delivers to them.

    Args:
        ledger: where endpoints and events are; the configured one without it, which is closed with the manager.
        settings: of ``config/webhooks.yaml``; read from there without them.
        secrets: finds secrets and keeps those that are given themselves; by the settings without it.
        owner: who acts, for the audit trail; the account of the process without it.
    """

    def __init__(
        self,
        ledger: Ledger | None = None,
        *,
        settings: WebhookSettings | None = None,
        secrets: Secrets | None = None,
        owner: str = "",
    ) -> None:
        self.settings = settings or load_settings()
        self.secrets = secrets or Secrets(self.settings.secrets_file)
        self.ledger = ledger or Ledger(configured_ledger_url())
        self._own = ledger is None
        self._owner = owner or actor().name

    def close(self) -> None:
        """Close the ledger where the manager has opened it."""
        if self._own:
            self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def register(self, url: str, events: Sequence[str], secret: str) -> Endpoint:
        """Have an address told of events from now on; the same once more changes nothing.

        Args:
            url: an https address that the configuration allows.
            events: names of events, or patterns such as ``invoice.*``.
            secret: a reference, ``connection:ID``, ``env:NAME`` or ``file:NAME``, or the secret itself. The latter is
                put into a file that its owner alone may read; the ledger gets a reference and a short digest.

        Returns:
            The endpoint.

        Raises:
            SecurityError: the address may not be told of events (``ADDRESS_REFUSED``).
            DataError: an event is unknown (``EVENT_UNKNOWN``).
            ConfigError: there is no such secret, or it is too short.
        """
        parsed = self.settings.guard.check(url)
        run(resolve(self.settings.guard, parsed))
        _refuse_unknown(events)
        endpoint_id = _id(url, parsed.host or "")
        named = self._named(secret, endpoint_id)
        return self.ledger.endpoints.put(Endpoint(endpoint_id, url, tuple(events), (named,)), self._owner)

    def list(self) -> list[Endpoint]:
        """Return every endpoint, the oldest first; their secrets are only named."""
        return self.ledger.endpoints.all()

    def pause(self, endpoint: str) -> Endpoint:
        """Tell an endpoint of nothing until it is resumed; what happens meanwhile waits for it.

        Args:
            endpoint: its id or address.

        Raises:
            DataError: there is none (``ENDPOINT_UNKNOWN``).
        """
        return self._change(endpoint, "pause", lambda kept: replace(kept, state=EndpointState.PAUSED))

    def resume(self, endpoint: str) -> Endpoint:
        """Tell an endpoint of events again that was paused or disabled; the arguments are those of :meth:`pause`."""
        return self._change(endpoint, "resume", _fresh)

    def remove(self, endpoint: str) -> Endpoint:
        """Forget an endpoint and what waits for it; the arguments are those of :meth:`pause`."""
        return self.ledger.endpoints.remove(endpoint, self._owner)

    def rotate(self, endpoint: str, secret: str, *, overlap_hours: float = OVERLAP_HOURS) -> Endpoint:
        """Give an endpoint another secret; for a while both are live.

        The headers carry a signature of each. The one within the body is the old secret's until that ends, so that a
        receiver which knows nothing of the change goes on.

        Args:
            endpoint: its id or address.
            secret: as for :meth:`register`.
            overlap_hours: for how long the old one is live.

        Raises:
            DataError: there is no such endpoint (``ENDPOINT_UNKNOWN``).
            ConfigError: there is no such secret, or it is too short.
        """
        known = self.ledger.endpoints.get(endpoint)
        named = self._named(secret, known.id)
        now = time.time()

        def rotated(kept: Endpoint) -> Endpoint:
            old = [each for each in kept.live_secrets(now) if each.fingerprint != named.fingerprint]
            ends = now + overlap_hours * HOUR
            ending = [replace(each, until=min(each.until or ends, ends)) for each in old]
            return replace(kept, secrets=(named, *(each for each in ending if each.until > now)))

        return self.ledger.endpoints.change(known.id, "rotate", rotated, self._owner)

    def replay(self, endpoint: str, *, since: float = 0.0, until: float = 0.0, event_id: str = "") -> int:
        """Have events delivered once more, each under its own id; return how many.

        Args:
            endpoint: its id or address.
            since: those from this moment on, in epoch seconds.
            until: those up to this moment; up to now without it.
            event_id: only this one.

        Raises:
            DataError: there is no such endpoint (``ENDPOINT_UNKNOWN``), or no such event (``EVENT_UNKNOWN``).
        """
        known = self.ledger.endpoints.get(endpoint)
        number = self.ledger.outbox.replay(known.id, since=since, until=until, event_id=event_id)
        if event_id and not number:
            raise DataError(f"{known.id} has no event {event_id!r} to be sent again", code=Reason.EVENT_UNKNOWN)
        detail = {"events": number, "since": since, "until": until, "event": event_id}
        self.ledger.record("webhook_replay", key=known.id, owner=self._owner, detail=detail)
        return number

    def deliver(self, seconds: float = 60.0, patience: float = 0.0) -> DeliveryReport:
        """Deliver what is due.

        Args:
            seconds: after which no further deliveries are taken.
            patience: for how many seconds a retry is waited for, once nothing else is due.
        """
        return run(self.adeliver(seconds, patience))

    async def adeliver(self, seconds: float = 60.0, patience: float = 0.0) -> DeliveryReport:
        """Do what :meth:`deliver` does, within the running event loop."""
        deliverer = Deliverer(
            self.ledger, self.secrets, self.settings, framework_url=_framework_url(), owner=self._owner
        )
        return await deliverer.deliver(seconds, patience)

    def _named(self, secret: str, endpoint_id: str) -> SecretName:
        reference = self.secrets.referred(secret, endpoint_id)
        return SecretName(reference, fingerprint(self.secrets.get(reference)))

    def _change(self, endpoint: str, action: str, change: Change) -> Endpoint:
        return self.ledger.endpoints.change(endpoint, action, change, self._owner)


def _fresh(kept: Endpoint) -> Endpoint:
    """Return an endpoint as if it had never failed."""
    return replace(kept, state=EndpointState.ACTIVE, reason="", failures=0, failing_since=0.0, held_until=0.0)


def _id(url: str, host: str) -> str:
    """Return a short name of an address: its host, and six digits that tell it from others there."""
    digest = hashlib.sha256(url.encode()).hexdigest()[:6]
    return f"{re.sub(r'[^a-z0-9]+', '-', host.lower()).strip('-')[:60]}-{digest}"


def _refuse_unknown(events: Sequence[str]) -> None:
    if isinstance(events, str) or not events:
        raise DataError("name the events as a list, such as ['invoice.*']", code=Reason.EVENT_UNKNOWN)
    for pattern in events:
        if not any(matches(pattern, name) for name in EVENTS):
            raise DataError(
                f"there is no event {pattern!r}; {allowed(pattern, list(EVENTS))}", code=Reason.EVENT_UNKNOWN
            )


def _framework_url() -> str:
    """Return the framework's address where the configuration says it; links in events are left out else."""
    try:
        return load_config().systems["framework"].base_url
    except ConfigError:
        return ""
