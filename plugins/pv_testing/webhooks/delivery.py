"""Delivers what waits in the outbox: to each endpoint by itself, each subject's events in their order.

An endpoint gets an event at least once, under an id that stays the same. What a killed process had sent and not yet
settled is sent again when its lease ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import aiohttp
from yarl import URL

from pv_testing.core import clock, metrics
from pv_testing.core.errors import ConfigError, SecurityError
from pv_testing.core.reasons import Reason
from pv_testing.core.visible import visible
from pv_testing.ledger import Ledger
from pv_testing.ledger.endpoints import Endpoint, EndpointState, SecretName
from pv_testing.ledger.outbox import DAY, DEAD, DELIVERED, PENDING, Delivered, Delivery
from pv_testing.webhooks import sending
from pv_testing.webhooks.bodies import body
from pv_testing.webhooks.schedule import wait
from pv_testing.webhooks.secrets import Secrets, fingerprint
from pv_testing.webhooks.settings import WebhookSettings
from pv_testing.webhooks.signatures import standard_headers

LEASE = 180.0
WORK = LEASE - 2 * sending.TIMEOUT
"""Seconds after a claim in which a request may begin; it ends long before the lease does."""
CLAIMED = 200
AT_ONCE = 8
FAILURES_TO_HOLD = 5
SHORTEST_HOLD, LONGEST_HOLD = 5.0, 3_600.0

log = logging.getLogger(__name__)


@dataclass
class DeliveryReport:
    """What became of deliveries.

    Attributes:
        delivered: how many arrived.
        failed: how many tries failed, and come again.
        dead: how many are given up; a replay tries them again.
        problems: endpoints that a person must look at, each with why.
    """

    delivered: int = 0
    failed: int = 0
    dead: int = 0
    problems: dict[str, str] = field(default_factory=dict)

    def count(self, results: Sequence[Delivered]) -> None:
        """Take results."""
        sent = [each.state for each in results if each.attempted]
        self.delivered += sent.count(DELIVERED)
        self.failed += sent.count(PENDING)
        self.dead += sent.count(DEAD)

    def __str__(self) -> str:
        """Say it in one line, and one for each endpoint that a person must look at."""
        summary = f"{self.delivered} delivered, {self.failed} failed and tried again later, {self.dead} given up"
        return "\n".join([summary, *(f"  {name}: {why}" for name, why in self.problems.items())])


class Deliverer:
    """Delivers events.

    Args:
        ledger: whose outbox.
        secrets: finds the endpoints' secrets.
        settings: where events may be sent, and when an endpoint is disabled.
        framework_url: base address of the framework, for links within events.
        owner: who delivers, for the audit trail.
    """

    def __init__(
        self,
        ledger: Ledger,
        secrets: Secrets,
        settings: WebhookSettings,
        *,
        framework_url: str = "",
        owner: str = "",
    ) -> None:
        self._ledger = ledger
        self._secrets = secrets
        self._settings = settings
        self._framework_url = framework_url
        self._owner = owner

    async def deliver(self, seconds: float = 60.0, patience: float = 0.0) -> DeliveryReport:
        """Deliver what is due, to all endpoints side by side.

        Args:
            seconds: after which no further deliveries are taken.
            patience: for how many seconds a retry is waited for, once nothing else is due.
        """
        report = DeliveryReport()
        give_up = clock.seconds() + seconds
        async with sending.session(self._settings.guard, concurrency=4 * AT_ONCE) as client:
            listed = await asyncio.to_thread(self._ledger.endpoints.all)
            await asyncio.gather(*(self._serve(each, client, give_up, patience, report) for each in listed))
        return report

    async def _serve(
        self, endpoint: Endpoint, client: aiohttp.ClientSession, give_up: float, patience: float, report: DeliveryReport
    ) -> None:
        """Deliver to one endpoint until nothing is due, or until it doesn't take any more."""
        if endpoint.state is EndpointState.DISABLED:
            report.problems[endpoint.id] = f"is disabled: {endpoint.reason}"
        if endpoint.state is not EndpointState.ACTIVE or endpoint.held_until > time.time():
            return
        try:
            target = _Target(endpoint, self._settings.guard.check(endpoint.url), self._live(endpoint))
        except (ConfigError, SecurityError) as error:
            report.problems[endpoint.id] = str(error)
            log.warning("%s gets nothing: %s", endpoint.id, error)
            return
        while clock.seconds() < give_up:
            claimed = clock.seconds()
            due = await asyncio.to_thread(self._ledger.outbox.claim, endpoint.id, CLAIMED, LEASE)
            if not due:
                pause = await asyncio.to_thread(self._ledger.outbox.until_retry, endpoint.id)
                if pause is None or pause > min(patience, give_up - clock.seconds()):
                    return
                await asyncio.sleep(pause)
                continue
            batch = _Batch(target, client, claimed + WORK, self._framework_url)
            results = await batch.send(due)
            await asyncio.to_thread(self._ledger.outbox.settle, endpoint.id, results)
            report.count(results)
            if not await self._goes_on(endpoint, batch, report):
                return

    def _live(self, endpoint: Endpoint) -> list[str]:
        """Return the secrets that count now, newest first; another one in the place of one is refused."""
        return [self._secret(endpoint, each) for each in endpoint.live_secrets(time.time())]

    def _secret(self, endpoint: Endpoint, named: SecretName) -> str:
        secret = self._secrets.get(named.name)
        if fingerprint(secret) != named.fingerprint:
            text = f"the secret at {named.name} is not the one that {endpoint.id} was registered with: rotate it"
            raise ConfigError(text, code=Reason.SECRET_CHANGED)
        return secret

    async def _goes_on(self, endpoint: Endpoint, batch: _Batch, report: DeliveryReport) -> bool:
        """Disable, hold or keep on with an endpoint, by how it has fared."""
        now = {each.id: each for each in await asyncio.to_thread(self._ledger.endpoints.all)}.get(endpoint.id)
        if now is None or now.state is not EndpointState.ACTIVE:
            return False
        why = _why_disabled(now, batch, self._settings.disable_after_days)
        if why:
            log.error("%s is told of nothing more: %s", endpoint.id, why)
            report.problems[endpoint.id] = f"is disabled: {why}"
            await asyncio.to_thread(self._ledger.outbox.disable, endpoint.id, why, self._owner)
            return False
        hold = max(batch.asked, _hold(now.failures))
        if hold:
            log.info("%s is left alone for %.0f s", endpoint.id, hold)
            await asyncio.to_thread(self._ledger.outbox.hold, endpoint.id, time.time() + hold)
        return not hold


def _why_disabled(endpoint: Endpoint, batch: _Batch, days: float) -> str:
    if batch.gone:
        return "it answered 410, which says that it wants no more events"
    if endpoint.failing_since and time.time() - endpoint.failing_since > days * DAY:
        return f"nothing has arrived there for {days:g} days; the last try: {batch.why}"
    return ""


def _hold(failures: int) -> float:
    """Return for how long an endpoint is left alone that fails again and again."""
    if failures < FAILURES_TO_HOLD:
        return 0.0
    return min(SHORTEST_HOLD * 2.0 ** min(failures - FAILURES_TO_HOLD, 20), LONGEST_HOLD)


@dataclass(frozen=True)
class _Target:
    """Where events go.

    Attributes:
        endpoint: whose they are.
        url: its address.
        secrets: those that count now, newest first.
    """

    endpoint: Endpoint
    url: URL
    secrets: Sequence[str]


class _Batch:
    """Sends the deliveries of one claim: subjects side by side, the events of each one after the other.

    Attributes:
        gone: whether the endpoint wants no more events.
        asked: for how many seconds it asks to be left alone.
        why: what was wrong with the last try.
    """

    def __init__(self, target: _Target, client: aiohttp.ClientSession, end: float, framework_url: str) -> None:
        self.gone = False
        self.asked = 0.0
        self.why = ""
        self._target = target
        self._client = client
        self._end = end
        self._framework_url = framework_url
        self._failures = 0
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def send(self, due: Sequence[Delivery]) -> list[Delivered]:
        """Send deliveries and return what became of each, in the order in which they ended."""
        chains = groupby(sorted(due, key=lambda each: (each.event.subject, each.event.sequence)), _subject)
        results: list[Delivered] = []
        await asyncio.gather(*(self._chain(list(chain), results) for _, chain in chains))
        return results

    async def _chain(self, chain: Sequence[Delivery], results: list[Delivered]) -> None:
        async with self._turn:
            for place, each in enumerate(chain):
                if self._stops():
                    results += [Delivered(other, PENDING, attempted=False) for other in chain[place:]]
                    return
                results.append(await self._one(each))
                if results[-1].state == PENDING:
                    results += [Delivered(other, PENDING, attempted=False) for other in chain[place + 1 :]]
                    return

    def _stops(self) -> bool:
        """Say whether nothing more is sent in this batch; what is left is given back as it was."""
        return self.gone or self.asked > 0 or self._failures >= FAILURES_TO_HOLD or clock.seconds() > self._end

    async def _one(self, each: Delivery) -> Delivered:
        # The body has room for one signature: the oldest secret's, which every receiver still knows.
        content = body(each.event, self._target.secrets[-1], self._framework_url)
        headers = standard_headers(self._target.secrets, each.event.id, int(time.time()), content)
        began = clock.seconds()
        answer = await sending.send(self._client, self._target.url, content, headers)
        metrics.time("webhook_seconds", clock.seconds() - began)
        metrics.count("webhooks_sent", result="delivered" if answer.delivered else "failed")
        if answer.delivered:
            self._failures = 0
            return Delivered(each, DELIVERED, answer.status)
        return self._failed(each, answer)

    def _failed(self, each: Delivery, answer: sending.EndpointAnswer) -> Delivered:
        self._failures += 1
        self.why = answer.reason
        self.gone = self.gone or answer.gone
        self.asked = max(self.asked, answer.wait)
        attempts = each.attempts + 1
        pause = wait(attempts)
        name = visible(f"{each.event.name} {each.event.id}")
        if pause is None:
            log.error("%s is given up for %s after %d tries: %s", name, each.endpoint, attempts, answer.reason)
            return Delivered(each, DEAD, answer.status, answer.reason)
        pause = max(pause, answer.wait)
        log.warning("%s failed for %s, next try in %.0f s: %s", name, each.endpoint, pause, answer.reason)
        return Delivered(each, PENDING, answer.status, answer.reason, time.time() + pause)


def _subject(each: Delivery) -> str:
    return each.event.subject
