"""The configuration as the clients use it: immutable, and without secrets in what is printed of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pv_testing.config.sections import AUTH_TYPES, NEEDED, SystemSection
from pv_testing.core.errors import ConfigError
from pv_testing.core.places import contract_names, product_words
from pv_testing.core.problems import Problem, allowed, refuse
from pv_testing.core.reasons import Reason

if TYPE_CHECKING:
    from pv_testing.config.connection import ConnectionLike
    from pv_testing.config.sections import LabConfig

ONE_WAY = "does nothing here: only the LIMS tells the framework of a status; leave the key out"
"""What is said of ``bidirectional`` in the section of a system from which nothing is carried back."""
_LEDGER_FILE = "pv_ledger.sqlite"


class SystemConfig(SystemSection):
    """One system: its section of the file, or what a connection or the arguments of a client say."""

    system: str = Field(description="``framework``, ``lims``, ``qms``, ``pm`` or ``erp``.")
    where: str = Field("", description="File and line, for messages.")
    problems: tuple[Problem, ...] = Field(
        (), repr=False, description="What is missing; an error as soon as the system is used."
    )

    def overlay(self, **given: Any) -> SystemConfig:
        """Return the system with other values for some of its fields."""
        return self.model_copy(update=given)

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
                f"{self.where or self.system}: the system is disabled; set enabled: true", code=Reason.DISABLED
            )
        refuse(self.problems)
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


def refuse_unknown_way(auth_type: Any, where: str) -> None:
    """Return if there is such a way of authenticating, or none is said.

    Raises:
        ConfigError: there is none.
    """
    if isinstance(auth_type, str) and auth_type not in AUTH_TYPES:
        raise ConfigError(f"{where}: unknown auth_type {auth_type!r}; {allowed(auth_type, AUTH_TYPES)}")


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
