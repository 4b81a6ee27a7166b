"""Reads ``config/integrations.yaml``, or lists everything that is wrong with it at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import Any

from pv_testing.config.model import (
    ALIASES,
    ONE_WAY,
    SECRETS,
    SYSTEMS,
    Config,
    LabConfig,
    Secret,
    SystemConfig,
    Systems,
    default_auth_type,
    default_contract,
    default_ledger_url,
)
from pv_testing.config.variables import Missing, expand
from pv_testing.core.errors import ConfigError
from pv_testing.core.places import project_root
from pv_testing.core.problems import Problem, refuse
from pv_testing.core.yaml_file import Document, Place, read_yaml

_CERTIFICATES = ("client_cert", "client_key", "ca_cert")


def config_path(path: str | Path | None = None) -> Path:
    """Return the configuration file: the given one, else ``$PV_CONFIG``, else the project's own."""
    return Path(path or os.environ.get("PV_CONFIG") or project_root() / "config" / "integrations.yaml")


def load_config(path: str | Path | None = None, env: Mapping[str, str] | None = None) -> Config:
    """Read the configuration.

    Variables of systems that are disabled aren't looked at. What a system lacks that names an Airflow connection is an
    error only when the system is used without it.

    Args:
        path: the file; see :func:`config_path`.
        env: where ``${VARIABLE}`` is looked up; the process's environment by default.

    Raises:
        ConfigError: with file, line, key and remedy for each thing that is wrong.
    """
    from pv_testing.core.schema import check

    document = read_yaml(config_path(path))
    problems = check(document, "integrations", hidden=SECRETS)
    refuse(problems)
    written = document.value or {}
    reader = _Reader(document, os.environ if env is None else env)
    systems = {name: reader.system(place, name, section) for place, name, section in _sections(document, problems)}
    lab = reader.lab(written.get("lab", {}))
    ledger_url = reader.ledger_url()
    urgent = [problem for each in systems.values() if not each.connection for problem in each.problems]
    refuse([*problems, *reader.problems, *urgent])
    return Config(document.file, Systems(systems, document.file), lab, Secret(ledger_url))


def configured_ledger_url(env: Mapping[str, str] | None = None) -> str:
    """Return where the ledger is, whatever else is wrong with the configuration file.

    Args:
        env: where ``${VARIABLE}`` is looked up; the process's environment by default.

    Raises:
        ConfigError: what the file says of the ledger can't be used, or ``$PV_CONFIG`` names no file.
    """
    from pv_testing.core.schema import check

    path = config_path()
    if not os.environ.get("PV_CONFIG") and not path.exists():
        return default_ledger_url()
    document = read_yaml(path)
    problems = check(document, "integrations", hidden=SECRETS)
    refuse(each for each in problems if each.key.partition(".")[0] in {"", "ledger"})
    reader = _Reader(document, os.environ if env is None else env)
    url = reader.ledger_url()
    refuse(reader.problems)
    return url


def lab_zone() -> tzinfo:
    """Return the laboratory's time zone, as the configuration file says it.

    Raises:
        ConfigError: for each thing that is wrong with the file.
    """
    return load_config().lab.zone


def _sections(document: Document, problems: list[Problem]) -> Iterator[tuple[Place, str, Mapping[str, Any]]]:
    """Give each system's section, at the top or under ``integrations``."""
    written = document.value or {}
    nested = written.get("integrations", {})
    for name in SYSTEMS:
        if name in written and name in nested:
            problems.append(document.problem(("integrations", name), "is at the top level as well; keep one"))
        if name in nested:
            yield ("integrations", name), name, nested[name]
        elif name in written:
            yield (name,), name, written[name]


class _Reader:
    """Expands variables and builds the sections, collecting problems."""

    def __init__(self, document: Document, env: Mapping[str, str]) -> None:
        self.document = document
        self.env = env
        self.problems: list[Problem] = []

    def text(self, place: Place, value: str) -> str:
        try:
            return expand(value, self.env)
        except Missing as missing:
            self.problems.append(self.document.problem(place, str(missing)))
            return ""

    def ledger_url(self) -> str:
        """Return where the ledger is; one in memory can't be configured, because every process would have its own."""
        place = ("ledger", "url")
        written = (self.document.value or {}).get("ledger") or {}
        url = self.text(place, written.get("url", ""))
        if re.fullmatch(r"sqlite[^:]*://(/?:memory:)?([?].*)?", url):
            text = "is in memory, so that each process would forget what others have sent; name a file or a server"
            self.problems.append(self.document.problem(place, text))
        return url or default_ledger_url()

    def lab(self, section: Mapping[str, Any]) -> LabConfig:
        from zoneinfo import ZoneInfo

        name = self.text(("lab", "time_zone"), section.get("time_zone", "UTC"))
        try:
            ZoneInfo(name or "UTC")
        except (ValueError, OSError, LookupError):
            text = f"{name!r} is no time zone; write it like Europe/Berlin"
            self.problems.append(self.document.problem(("lab", "time_zone"), text))
        return LabConfig(name or "UTC")

    def system(self, place: Place, name: str, section: Mapping[str, Any]) -> SystemConfig:
        self._refuse_dead(place, name, section)
        outer, self.problems = self.problems, []
        enabled = section.get("enabled", True)
        values = {key: self._value((*place, key), value) for key, value in section.items()} if enabled else {**section}
        values = _in_own_names(values)
        values["contract"] = values.get("contract") or (self._contract(place, name, values) if enabled else "")
        own, self.problems = self.problems, outer
        values["auth_type"] = values.get("auth_type") or default_auth_type(name, _in_own_names(section))
        if isinstance(values.get("scopes"), (str, list)):
            values["scopes"] = scope_names(values["scopes"])
        line = self.document.lines.get(place, 1)
        where = f"{self.document.file}:{line}: {name}"
        config = SystemConfig(system=name, where=where, **{key: kept(key, value) for key, value in values.items()})
        if enabled and not own:
            own = [self.document.problem((*place, key), text) for key, text in _gaps(config)]
        return replace(config, problems=tuple(own))

    def _refuse_dead(self, place: Place, system: str, section: Mapping[str, Any]) -> None:
        """Refuse keys that would do nothing: their writer would believe that they do something."""
        if "bidirectional" in section and system != "lims":
            self.problems.append(self.document.problem((*place, "bidirectional"), ONE_WAY))
        for theirs, ours in ALIASES.items():
            if theirs in section and ours in section:
                text = f"says the same as {ours}, which is there as well; keep one"
                self.problems.append(self.document.problem((*place, theirs), text))

    def _contract(self, place: Place, system: str, values: Mapping[str, Any]) -> str:
        """Return the contract of the product; where there is none, that is a problem."""
        try:
            return default_contract(system, values.get("provider", ""))
        except ConfigError as error:
            self.problems.append(self.document.problem((*place, "provider"), error.message))
            return ""

    def _value(self, place: Place, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(place, value)
        if isinstance(value, Mapping):
            return {key: self._value((*place, key), inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._value((*place, number), inner) for number, inner in enumerate(value)]
        return value


def _in_own_names(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section with our names for the keys that the integration guide calls otherwise."""
    return {ALIASES.get(key, key): value for key, value in section.items()}


def _gaps(config: SystemConfig) -> Iterator[tuple[str, str]]:
    for key in config.missing():
        yield key, f"is missing; auth_type {config.auth_type} needs it, here or in an Airflow connection"


def scope_names(scopes: str | list[str]) -> tuple[str, ...]:
    """Return scopes, written as a list or as one text with spaces."""
    return tuple(scopes.split() if isinstance(scopes, str) else scopes)


def kept(key: str, value: Any) -> Any:
    """Return a setting as it is kept: secrets hidden, files with their whole path."""
    if key in SECRETS:
        return Secret(value)
    if key in _CERTIFICATES and value:
        return str(project_root() / value)
    return value
