"""Reads ``config/integrations.yaml``, or lists everything that is wrong with it at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any

from pv_testing.config.model import (
    ONE_WAY,
    Config,
    SystemConfig,
    Systems,
    default_contract,
    default_ledger_url,
)
from pv_testing.config.sections import (
    ALIASES,
    SECRETS,
    SYSTEMS,
    IntegrationsFile,
    LabConfig,
    Secret,
    SystemSection,
    default_auth_type,
)
from pv_testing.config.variables import Missing, expand
from pv_testing.core.errors import ConfigError
from pv_testing.core.places import project_root
from pv_testing.core.problems import Problem, refuse
from pv_testing.core.validation import validate
from pv_testing.core.yaml_file import Document, Place, read_yaml


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
    document = read_yaml(config_path(path))
    problems = _misshapen(document)
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
    path = config_path()
    if not os.environ.get("PV_CONFIG") and not path.exists():
        return default_ledger_url()
    document = read_yaml(path)
    refuse(each for each in _misshapen(document) if each.key.partition(".")[0] in {"", "ledger"})
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


def _misshapen(document: Document) -> list[Problem]:
    """Return what is wrong with the file before any variable is looked up."""
    written = {} if document.value is None else document.value
    _, faults = validate(IntegrationsFile, written, hidden=SECRETS)
    return [document.problem(place, text) for place, text in faults]


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
        return LabConfig(time_zone=name or "UTC")

    def system(self, place: Place, name: str, section: Mapping[str, Any]) -> SystemConfig:
        self._refuse_dead(place, name, section)
        where = f"{self.document.file}:{self.document.lines.get(place, 1)}: {name}"
        own_names = {ALIASES.get(key, key): value for key, value in section.items()}
        auth_type = section.get("auth_type") or default_auth_type(name, own_names)
        outer, self.problems = self.problems, []
        enabled = section.get("enabled", True)
        settings = self._section(place, section if not enabled else self._expanded(place, section))
        more = {"contract": settings.contract or (self._contract(place, name, settings.provider) if enabled else "")}
        own, self.problems = self.problems, outer
        config = SystemConfig.extend(settings, system=name, where=where).overlay(**more, auth_type=auth_type)
        if enabled and not own:
            own = [self.document.problem((*place, key), text) for key, text in _gaps(config)]
        return config.overlay(problems=tuple(own))

    def _section(self, place: Place, written: Mapping[str, Any]) -> SystemSection:
        """Return a section whose variables are replaced; nothing that was in a variable is shown."""
        section, faults = validate(SystemSection, written, hidden=SECRETS, show=False)
        known = {problem.key for problem in self.problems}
        problems = [self.document.problem((*place, *inner), text) for inner, text in faults]
        self.problems += [problem for problem in problems if problem.key not in known]
        wrong = {inner[0] for inner, _ in faults}
        return section or self._section(place, {key: value for key, value in written.items() if key not in wrong})

    def _expanded(self, place: Place, section: Mapping[str, Any]) -> dict[str, Any]:
        """Return a section with its variables replaced, without what then is empty."""
        values = {key: self._value((*place, key), value) for key, value in section.items()}
        return {key: value for key, value in values.items() if value != ""}

    def _refuse_dead(self, place: Place, system: str, section: Mapping[str, Any]) -> None:
        """Refuse keys that would do nothing: their writer would believe that they do something."""
        if "bidirectional" in section and system != "lims":
            self.problems.append(self.document.problem((*place, "bidirectional"), ONE_WAY))
        for theirs, ours in ALIASES.items():
            if theirs in section and ours in section:
                text = f"says the same as {ours}, which is there as well; keep one"
                self.problems.append(self.document.problem((*place, theirs), text))

    def _contract(self, place: Place, system: str, provider: str) -> str:
        """Return the contract of the product; where there is none, that is a problem."""
        try:
            return default_contract(system, provider)
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


def _gaps(config: SystemConfig) -> Iterator[tuple[str, str]]:
    for key in config.missing():
        yield key, f"is missing; auth_type {config.auth_type} needs it, here or in an Airflow connection"
