"""Who may tell us of events: the systems of the settings, with their contracts' sections and their secrets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from pv_testing.config import load_config
from pv_testing.contracts import load_contract
from pv_testing.contracts.webhook import WebhookSpec
from pv_testing.core.errors import ConfigError
from pv_testing.core.reasons import Reason
from pv_testing.webhooks.file import SourceSettings
from pv_testing.webhooks.secrets import Secrets
from pv_testing.webhooks.settings import WebhookSettings

KEPT_SECONDS = 30.0
"""For how long a secret is not looked up again; a revoked one counts for no longer than that."""


def handed_over(system: str) -> str:
    """Return the name under which a secret is kept that a product has chosen itself."""
    return f"receive.{system}"


@dataclass(frozen=True)
class EventSource:
    """A system that may tell us of events.

    Attributes:
        system: its name.
        spec: how it does so.
        settings: where its secrets are.
    """

    system: str
    spec: WebhookSpec
    settings: SourceSettings


class EventSources:
    """The systems that may tell us of events.

    Args:
        settings: which.
        secrets: finds their secrets.
    """

    def __init__(self, settings: WebhookSettings, secrets: Secrets) -> None:
        self.secrets = secrets
        self._sources = _sources(settings)
        self._kept: dict[str, tuple[float, list[str]]] = {}

    def get(self, system: str) -> EventSource | None:
        """Return a system, or ``None`` where it may tell nothing."""
        return self._sources.get(system)

    def known(self, source: EventSource) -> list[str]:
        """Return the secrets that count for a system, if they were looked up just now; else nothing."""
        until, known = self._kept.get(source.system, (0.0, []))
        return known if time.monotonic() < until else []

    def secrets_of(self, source: EventSource) -> list[str]:
        """Look up the secrets that count for a system.

        Raises:
            ConfigError: one of them is not where it should be.
        """
        references = list(source.settings.secrets)
        secrets = [self.secrets.get(reference) for reference in references]
        if source.spec.verify == "asana" and not references:
            secrets = self.secrets.kept(handed_over(source.system))
        self._kept[source.system] = (time.monotonic() + KEPT_SECONDS, secrets)
        return secrets

    def forget(self, system: str) -> None:
        """Look a system's secrets up again."""
        self._kept.pop(system, None)


def _sources(settings: WebhookSettings) -> Mapping[str, EventSource]:
    sources = {}
    for system, each in settings.sources.items():
        contract = load_contract(each.contract or load_config().systems[system].contract)
        if contract.webhook is None:
            text = f"{contract.file}: has no section webhook, so that nothing says how events of {system} are verified"
            raise ConfigError(text, system=system, code=Reason.NO_WEBHOOK)
        sources[system] = EventSource(system, contract.webhook, each)
    return sources
