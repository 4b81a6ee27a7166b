"""The keys of ``config/webhooks.yaml``, of which its JSON Schema is made, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, Field

from pv_testing.config.policy import Policy
from pv_testing.core.model import Model
from pv_testing.webhooks.addresses import Guard


def _allowed(names: tuple[str, ...]) -> tuple[str, ...]:
    Guard.of(names, allow_http=False)
    return names


Connection = Annotated[
    str, Field(pattern=r"^[\w.-]{1,200}$", description="the name of a connection, of at most 200 characters")
]
Reference = Annotated[
    str,
    Field(pattern=r"^(connection|env|file):[\w.-]{1,200}$", description="connection:ID, env:NAME or file:NAME"),
]
Host = Annotated[str, Field(min_length=1)]


class SendSection(Model):
    """Events that others are told of."""

    allow: Annotated[tuple[Host, ...], Field(strict=False), AfterValidator(_allowed)] = Field(
        (),
        description=(
            "Hosts, addresses and networks that may be told beside public ones, such as hooks.lab.local or 10.1.2.0/24."
        ),
    )
    allow_http: bool = Field(default=False, description="Whether an address without TLS is accepted; false without it.")
    secrets_file: str = Field(
        "",
        min_length=1,
        description=(
            "Where secrets are kept that are given themselves; pv_webhook_secrets.json in the Airflow home without it. "
            "A relative path counts from the project."
        ),
    )
    connections: Annotated[tuple[Connection, ...], Field(strict=False)] = Field(
        (), description="Airflow connections of the type pv_webhook, an endpoint each."
    )
    disable_after_days: float = Field(
        5.0, gt=0, description="For how long an endpoint may fail before it is disabled; 5 without it."
    )
    keep_days: float = Field(
        30.0, ge=4, description="For how long events are kept, for replays and to know repeated ones; 30 without it."
    )


class SourceSettings(Model):
    """How the events of one system are taken."""

    secrets: Annotated[tuple[Reference, ...], Field(strict=False, max_length=10)] = Field(
        (),
        description=(
            "Where the secrets are that count: connection:ID, env:NAME or file:NAME; several while one is replaced."
        ),
    )
    contract: str = Field(
        "",
        min_length=1,
        description=("The contract whose section webhook says how events are verified; the system's own without it."),
    )


class SourceSections(Model):
    """The systems whose events are taken."""

    framework: SourceSettings | None = None
    lims: SourceSettings | None = None
    qms: SourceSettings | None = None
    pm: SourceSettings | None = None
    erp: SourceSettings | None = None

    def configured(self) -> Mapping[str, SourceSettings]:
        """Return the systems that the file names."""
        named: dict[str, SourceSettings] = {}
        for system in type(self).model_fields:
            source = getattr(self, system)
            if source is not None:
                named[system] = source
        return named


class ReceiveSection(Model):
    """Events that are taken."""

    systems: SourceSections = SourceSections()
    max_bytes: int = Field(
        262_144, ge=1024, le=16_777_216, description="The largest body that is read; 262144 without it."
    )
    tolerance: float = Field(
        300.0, gt=0, description="Seconds that a sender's clock may differ, both ways; 300 without it."
    )
    linger: float = Field(
        0.5,
        ge=0,
        le=60,
        description="Seconds after a start within which further events are gathered for one run; 0.5 without it.",
    )
    airflow_url: str = Field(
        "",
        pattern=r"^https?://[^\s?#@]+$",
        description=(
            "an address such as https://airflow.company.com, where a receiver that runs alone asks Airflow to start "
            "runs"
        ),
    )


class WebhooksFile(Policy):
    """The whole file; one that is empty keeps every default."""

    NAME: ClassVar[str] = "webhooks"
    model_config = ConfigDict(
        title="Events that others are told of, and events that are taken",
        json_schema_extra={"type": ["object", "null"]},
    )

    send: SendSection = SendSection()
    receive: ReceiveSection = ReceiveSection()
