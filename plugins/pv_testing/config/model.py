"""The configuration as the clients use it: immutable, and without secrets in what is printed of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_testing.core.errors import ConfigError
from pv_testing.core.places import contract_names, product_words
from pv_testing.core.problems import Problem, allowed, refuse

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from pv_testing.config.connection import ConnectionLike

SYSTEMS = ("framework", "lims", "qms", "pm", "erp")
SECRETS = frozenset({"api_key", "password", "token", "api_token", "client_secret"})
ALIASES: Mapping[str, str] = {"api_token": "token"}
"""What the integration guide calls otherwise than the keys here."""
ONE_WAY = "does nothing here: only the LIMS tells the framework of a status; leave the key out"
"""What is said of ``bidirectional`` in the section of a system from which nothing is carried back."""
NEEDED: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "api_key": ("api_key",),
    "basic": ("username", "password"),
    "bearer": ("token",),
    "jwt": ("username", "password"),
    "login": ("username", "password"),
    "oauth2": ("client_id", "client_secret"),
    "mtls": ("client_cert", "client_key"),
}
_LEDGER_FILE = "pv_ledger.sqlite"


class Secret(str):
    """Text that is not shown when what holds it is printed; ``str`` methods and requests see it as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self else "''"


@dataclass(frozen=True)
class SystemConfig:
    """One system.

    Attributes:
        system: ``framework``, ``lims``, ``qms``, ``pm`` or ``erp``.
        enabled: whether it takes part.
        provider: the product behind it.
        contract: name or path of the contract that says how it is spoken to.
        provider_class: the class that speaks for the product, as ``package.module:Class``; empty for the product's own.
        base_url: its address.
        auth_type: how it knows us: ``none``, ``api_key``, ``basic``, ``bearer``, ``jwt``, ``login``,
            ``oauth2`` or ``mtls``.
        api_key: for ``api_key``.
        api_key_header: the header that carries it; empty for the one that the contract says.
        username: for ``basic``, ``jwt`` and ``login``.
        password: for ``basic``, ``jwt`` and ``login``.
        token: for ``bearer``.
        client_id: for ``oauth2``, alone or together with ``mtls``.
        client_secret: for ``oauth2``.
        token_url: where tokens are fetched; empty where the contract says it.
        scopes: what the token is to allow.
        client_cert: file of our certificate, for mutual TLS with any way of authenticating.
        client_key: file of its key.
        ca_cert: file of the authority that vouches for the system.
        sync_interval: seconds between two synchronisations.
        bidirectional: of the LIMS: whether statuses also come back from it.
        mappings: what it calls otherwise than its contract does.
        options: what its provider wants to know besides.
        connection: the Airflow connection that gives address and secrets.
        allow_http: whether an address without TLS is accepted that is not on this machine.
        where: file and line, for messages.
        problems: what is missing; an error as soon as the system is used.
    """

    system: str
    enabled: bool = True
    provider: str = ""
    contract: str = ""
    provider_class: str = ""
    base_url: str = ""
    auth_type: str = ""
    api_key: str = Secret()
    api_key_header: str = ""
    username: str = ""
    password: str = Secret()
    token: str = Secret()
    client_id: str = ""
    client_secret: str = Secret()
    token_url: str = ""
    scopes: tuple[str, ...] = ()
    client_cert: str = ""
    client_key: str = ""
    ca_cert: str = ""
    sync_interval: float = 300.0
    bidirectional: bool = True
    mappings: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    connection: str = ""
    allow_http: bool = False
    where: str = field(default="", compare=False)
    problems: tuple[Problem, ...] = field(default=(), compare=False, repr=False)

    def missing(self) -> tuple[str, ...]:
        """Return the keys without which the system can't be reached."""
        names = [*(() if self.options.get("file_store") else ("base_url",)), *NEEDED[self.auth_type]]
        if self.auth_type == "mtls" and self.client_id:
            names.append("client_secret")
        if self.client_cert or self.client_key:
            names += [name for name in NEEDED["mtls"] if name not in names]
        return tuple(name for name in names if not getattr(self, name))

    def without_contract(self) -> tuple[Problem, ...]:
        """Return why there is no contract, where there is none."""
        return () if self.contract else self.problems

    def ready(self) -> SystemConfig:
        """Return itself when the system can be used.

        Raises:
            ConfigError: it is disabled, or something is missing.
        """
        if not self.enabled:
            raise ConfigError(
                f"{self.where or self.system}: the system is disabled; set enabled: true", code="DISABLED"
            )
        refuse(self.problems)
        refuse_unknown_way(self.auth_type, self.where or self.system)
        missing = self.missing()
        if missing:
            source = f"in the configuration or in the connection {self.connection or f'pv_{self.system}'}"
            needs = f"auth_type {self.auth_type} needs {', '.join(missing)}; set it {source}"
            raise ConfigError(f"{self.where or self.system}: {needs}", system=self.system, code="SETTING_MISSING")
        return self

    def with_connection(self, connection: ConnectionLike) -> SystemConfig:
        """Return the system with an Airflow connection laid over it, ready for use.

        Args:
            connection: what is filled in wins over the file; ``host`` is the whole address, ``login`` and ``password``
                are what the way of authenticating needs, and the extra fields have the names of the file's keys.

        Raises:
            ConfigError: an extra field is unknown, or something is still missing.
        """
        from pv_testing.config.connection import overlay

        return overlay(self, connection).ready()


@dataclass(frozen=True)
class LabConfig:
    """The laboratory.

    Attributes:
        time_zone: where calendar dates are taken, by its IANA name.
    """

    time_zone: str = "UTC"

    @property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        from zoneinfo import ZoneInfo

        return ZoneInfo(self.time_zone)


class Systems(dict[str, SystemConfig]):
    """The systems by name; asking for one that isn't configured says so."""

    def __init__(self, systems: Mapping[str, SystemConfig], file: str) -> None:
        super().__init__(systems)
        self.file = file

    def __missing__(self, name: str) -> SystemConfig:
        raise ConfigError(f"{self.file}: has no section {name!r}; {allowed(name, list(self))}", code="NO_SYSTEM")


@dataclass(frozen=True)
class Config:
    """The whole configuration.

    Attributes:
        file: where it was read.
        systems: by name.
        lab: the laboratory.
        ledger_url: the ledger in SQLAlchemy's form.
    """

    file: str
    systems: Systems
    lab: LabConfig
    ledger_url: str


def refuse_unknown_way(auth_type: str, where: str) -> None:
    """Return if there is such a way of authenticating.

    Raises:
        ConfigError: there is none.
    """
    if auth_type not in NEEDED:
        raise ConfigError(f"{where}: unknown auth_type {auth_type!r}; {allowed(auth_type, list(NEEDED))}")


def default_ledger_url() -> str:
    """Return the ledger that is used where nothing else is said: a SQLite file in the Airflow home."""
    home = Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()
    return f"sqlite:///{home / _LEDGER_FILE}"


def default_contract(system: str, provider: str) -> str:
    """Return the contract of a product, whatever its version; the system's general one where none is named.

    Args:
        system: ``lims``, ``qms`` and so on; of the framework there is one product.
        provider: the product's name, such as ``SENAITE`` or ``SENAITE 2.6``.

    Raises:
        ConfigError: no contract is there for the product; the message lists those that are.
    """
    if system == "framework":
        return "framework"
    if not provider:
        return f"{system}_custom"
    known = [name.removeprefix(f"{system}_") for name in contract_names() if name.startswith(f"{system}_")]
    words = product_words(provider)
    for word in words:
        if word in known:
            return f"{system}_{word}"
    wanted = f"there is no contract for the product {provider[:40]!r}; {allowed(words[-1], known)}"
    how = f"name one of them under contract, or write include/mappings/{system}_{words[-1]}.yaml"
    raise ConfigError(f"{wanted}; {how}", system=system)


def default_auth_type(system: str, known: Mapping[str, Any]) -> str:
    """Return the way of authenticating that the given credentials are for."""
    if known.get("api_key"):
        return "api_key"
    if known.get("client_id"):
        return "oauth2"
    if known.get("token"):
        return "bearer"
    if known.get("client_cert"):
        return "mtls"
    if known.get("username") and system != "framework":
        return "basic"
    return "jwt" if system == "framework" else "api_key"
