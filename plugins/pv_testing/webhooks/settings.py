"""The laboratory's settings for webhooks: ``config/webhooks.yaml``, beside the configuration of the systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pv_testing.config import config_path
from pv_testing.core.places import project_root
from pv_testing.webhooks.addresses import Guard
from pv_testing.webhooks.file import ReceiveSection, SendSection, SourceSettings, WebhooksFile

_SEND, _RECEIVE = SendSection(), ReceiveSection()


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
        linger: seconds after a start within which further events are gathered for one run.
        rest_url: where Airflow is asked to start runs by a receiver that runs alone.
    """

    guard: Guard = field(default_factory=Guard)
    secrets_file: Path | None = None
    connections: tuple[str, ...] = ()
    disable_after_days: float = _SEND.disable_after_days
    keep_days: float = _SEND.keep_days
    sources: Mapping[str, SourceSettings] = field(default_factory=dict)
    max_bytes: int = _RECEIVE.max_bytes
    tolerance: float = _RECEIVE.tolerance
    linger: float = _RECEIVE.linger
    rest_url: str = ""


def load_settings(path: str | Path | None = None) -> WebhookSettings:
    """Read the settings; what the file doesn't say has its default, also where there is no file.

    Args:
        path: the file; ``webhooks.yaml`` beside the configuration by default.

    Raises:
        ConfigError: with file, line, key and remedy for each thing that is wrong.
    """
    file = Path(path) if path else config_path().with_name(f"{WebhooksFile.NAME}.yaml")
    if path is None and not file.exists():
        return WebhookSettings()
    written = WebhooksFile.read(file)
    send, receive = written.send, written.receive
    return WebhookSettings(
        guard=Guard.of(send.allow, allow_http=send.allow_http),
        secrets_file=project_root() / send.secrets_file if send.secrets_file else None,
        connections=send.connections,
        disable_after_days=send.disable_after_days,
        keep_days=send.keep_days,
        sources=receive.systems.configured(),
        max_bytes=receive.max_bytes,
        tolerance=receive.tolerance,
        linger=receive.linger,
        rest_url=receive.airflow_url,
    )
