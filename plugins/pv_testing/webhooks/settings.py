"""The laboratory's settings for webhooks: ``config/webhooks.yaml``, beside the configuration of the systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pv_testing.config import config_path
from pv_testing.config.policy import read_policy
from pv_testing.core.errors import ConfigError
from pv_testing.core.places import project_root
from pv_testing.webhooks.addresses import Guard

NAME = "webhooks"


@dataclass(frozen=True)
class SourceSettings:
    """How one system's events are taken.

    Attributes:
        secrets: references to the secrets that count, such as ``env:FRAMEWORK_WEBHOOK_SECRET``.
        contract: whose section ``webhook`` says how they are verified; the system's own without it.
    """

    secrets: tuple[str, ...] = ()
    contract: str = ""


@dataclass(frozen=True)
class WebhookSettings:
    """What ``config/webhooks.yaml`` says.

    Attributes:
        guard: where events may be sent.
        secrets_file: where secrets are kept that are given themselves; ``None`` for the Airflow home.
        connections: Airflow connections of the type ``pv_webhook``, an endpoint each.
        disable_after_days: for how long an endpoint may fail before it is disabled.
        keep_days: for how long events are kept, for replays and to know repeated ones.
        sources: the systems whose events are taken, by name.
        max_bytes: the largest body that is read.
        tolerance: seconds that a sender's clock may differ.
        linger: seconds within which events start one run together.
        rest_url: where Airflow is asked to start runs by a receiver that runs alone.
    """

    guard: Guard = field(default_factory=Guard)
    secrets_file: Path | None = None
    connections: tuple[str, ...] = ()
    disable_after_days: float = 5.0
    keep_days: float = 30.0
    sources: Mapping[str, SourceSettings] = field(default_factory=dict)
    max_bytes: int = 262_144
    tolerance: float = 300.0
    linger: float = 0.5
    rest_url: str = ""


def load_settings(path: str | Path | None = None) -> WebhookSettings:
    """Read the settings; what the file doesn't say has its default, also where there is no file.

    Args:
        path: the file; ``webhooks.yaml`` beside the configuration by default.

    Raises:
        ConfigError: with file, line, key and remedy for each thing that is wrong.
    """
    file = Path(path) if path else config_path().with_name(f"{NAME}.yaml")
    if path is None and not file.exists():
        return WebhookSettings()
    written = read_policy(NAME, file)
    send, receive = written.get("send", {}), written.get("receive", {})
    try:
        guard = Guard.of(send.get("allow", ()), allow_http=send.get("allow_http", False))
    except ValueError as error:
        raise ConfigError(f"{file}: send.allow: {error}") from None
    kept = {name: send[name] for name in ("disable_after_days", "keep_days") if name in send}
    taken = {name: receive[name] for name in ("max_bytes", "tolerance", "linger") if name in receive}
    return WebhookSettings(
        guard=guard,
        secrets_file=project_root() / send["secrets_file"] if "secrets_file" in send else None,
        connections=tuple(send.get("connections", ())),
        sources={name: _source(said) for name, said in receive.get("systems", {}).items()},
        rest_url=receive.get("airflow_url", ""),
        **kept,
        **taken,
    )


def _source(said: Mapping[str, Any]) -> SourceSettings:
    return SourceSettings(tuple(said.get("secrets", ())), said.get("contract", ""))
