"""``check``: checks configuration, contracts, ledger and the credentials at each system before a record is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pv_testing.cli.schemas import POLICIES
from pv_testing.config import Config, SystemConfig, config_path, load_config
from pv_testing.config.options import chosen
from pv_testing.contracts import Contract, load_contract, load_field_mappings
from pv_testing.contracts.units import is_known
from pv_testing.core.errors import ConfigError, IntegrationError, redact
from pv_testing.core.places import contract_names
from pv_testing.core.problems import refuse
from pv_testing.integrations.addresses import difference, state_key
from pv_testing.integrations.renaming import Renaming
from pv_testing.ledger import Ledger, state_store
from pv_testing.ledger.failures import place
from pv_testing.ledger.store import Store
from pv_testing.providers.registry import provider_of
from pv_testing.quality.capa_policy import CapaPolicy

_FIELD_MAPPINGS = "field_mappings"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check.

    Attributes:
        subject: the checked file or system.
        message: the finding in words.
        passed: whether the subject is in order.
        label: the first word of the printed line.
    """

    subject: str
    message: str
    passed: bool = True
    label: str = "ok"

    def __str__(self) -> str:
        """Return one line, or several where several things are wrong."""
        return f"{self.label:<8}{self.subject}: {self.message}"


def check(path: str | Path | None = None, *, offline: bool = False) -> Iterator[CheckResult]:
    """Check everything and give one result after the other.

    Args:
        path: the configuration file; see :func:`~pv_testing.config.config_path`.
        offline: leave the systems alone.
    """
    yield from _contracts()
    yield from _policies(config_path(path).parent)
    file = str(config_path(path))
    try:
        config = load_config(path)
    except IntegrationError as error:
        yield _failed(file, error)
        return
    yield CheckResult(file, f"{sum(system.enabled for system in config.systems.values())} systems are enabled")
    yield _ledger(config.ledger_url, offline=offline)
    yield from _systems(config, offline=offline)
    yield from _other_addresses(config, offline=offline)


def _contracts() -> Iterator[CheckResult]:
    for name in contract_names():
        try:
            if name == _FIELD_MAPPINGS:
                load_field_mappings(name)
                yield CheckResult(f"field mappings {name}", "can be read; only programs that load it follow it")
            else:
                yield _contract(load_contract(name))
        except IntegrationError as error:
            yield _failed(f"contract {name}", error)


def _policies(folder: Path) -> Iterator[CheckResult]:
    yield from _renaming(folder / f"{_FIELD_MAPPINGS}.yaml")
    for policy in POLICIES:
        file = folder / f"{policy.NAME}.yaml"
        if not file.exists():
            continue
        try:
            rules = policy.read(file)
            yield CheckResult(str(file), "can be read" + (_approval(rules) if isinstance(rules, CapaPolicy) else ""))
        except IntegrationError as error:
            yield _failed(str(file), error)


def _renaming(file: Path) -> Iterator[CheckResult]:
    """Check the file of renamed measurements beside the configuration, where there is one."""
    if not file.exists():
        return
    try:
        yield CheckResult(str(file), f"{len(Renaming.read(file).names)} measurements have other names in the LIMS")
    except IntegrationError as error:
        yield _failed(str(file), error)


def _approval(rules: CapaPolicy) -> str:
    """Say who may approve a CAPA where that isn't narrowed down."""
    approval = rules.approval
    if not approval.required:
        return "; CAPAs are raised without asking anyone"
    return "" if approval.approvers else "; approvers is empty: anyone who may edit the DAG's tasks may approve a CAPA"


def _contract(contract: Contract) -> CheckResult:
    wanted = {unit for table in contract.units.values() for unit in table.values()}
    unknown = sorted(unit for unit in wanted if not is_known(unit))
    if unknown:
        message = f"units: {', '.join(unknown)} can't be converted; see pint's list of units"
        return CheckResult(f"contract {contract.name}", message, passed=False, label="FAILED")
    return CheckResult(f"contract {contract.name}", f"{contract.title}, {len(contract.operations)} operations")


def _ledger(url: str, *, offline: bool) -> CheckResult:
    """Check that the ledger's database keeps each commit that it acknowledges; write nothing there."""
    try:
        store = Store(url)
    except IntegrationError as error:
        return _failed("ledger", error)
    try:
        if not store.sqlite and not offline:
            with store.reading():
                pass
    except IntegrationError as error:
        return _failed("ledger", error)
    finally:
        store.close()
    if store.sqlite:
        return CheckResult("ledger", "SQLite, which forces each commit to the disk")
    durable = "" if offline else ", which forces each commit to its disk"
    return CheckResult("ledger", f"PostgreSQL at {place(store.url)}{durable}")


def _systems(config: Config, *, offline: bool) -> Iterator[CheckResult]:
    for name, system in config.systems.items():
        if not system.enabled:
            yield CheckResult(f"system {name}", "is disabled", label="skipped")
            continue
        try:
            refuse(system.without_contract())
            contract = load_contract(system.contract, system.mappings)
            chosen(system, provider_of(contract, system).known_options)
            if offline and system.connection:
                yield CheckResult(f"system {name}", f"contract {system.contract}, {_of_connection(system)}")
            else:
                yield _called(_ready(system), contract, offline=offline)
        except IntegrationError as error:
            yield _failed(f"system {name}", error)


def _other_addresses(config: Config, *, offline: bool) -> Iterator[CheckResult]:
    """Name each system whose records in the ledger were carried to another address than the configured one."""
    for name, system in config.systems.items():
        if not system.enabled:
            continue
        message = difference(name, _known_address(config.ledger_url, name, offline=offline), system.base_url)
        if message:
            yield CheckResult(f"system {name}", message, label="WARNING")


def _known_address(url: str, system: str, *, offline: bool) -> str:
    """Return the address of a system in a ledger that is there; a ledger is neither made nor migrated by this."""
    try:
        store = Store(url)
    except IntegrationError:
        return ""
    there = Path(store.url.database or "").exists() if store.sqlite else not offline
    try:
        return state_store.read(store, state_key(system), "") if there else ""
    except IntegrationError:
        return ""  # it has no tables yet, or can't be read, which its own outcome says
    finally:
        store.close()


def _lacking(system: SystemConfig) -> str:
    """Return the keys that the file leaves to the Airflow connection."""
    return ", ".join(dict.fromkeys(problem.key.rpartition(".")[2] for problem in system.problems))


def _of_connection(system: SystemConfig) -> str:
    """Return whether the Airflow connection is needed; whether it exists, only Airflow knows."""
    lacking = _lacking(system)
    if lacking:
        return f"needs the Airflow connection pv_{system.system}, because the file and its variables lack {lacking}"
    return f"{system.base_url}; the file says everything, no Airflow connection is needed"


def _ready(system: SystemConfig) -> SystemConfig:
    """Return a system that the file configures completely.

    Raises:
        ConfigError: the file lacks keys; the message names the Airflow connection that can give them.
    """
    try:
        return system.ready()
    except ConfigError as error:
        if not system.connection:
            raise
        how = f"set it, or create the Airflow connection pv_{system.system} and try it by the Test button of its form"
        raise ConfigError(f"{error.message}\n  {how}; this check reads no Airflow connections") from None


def _called(system: SystemConfig, contract: Contract, *, offline: bool) -> CheckResult:
    proof = contract.proof or "which names no system that it was tried on"
    product = f"{contract.provider} by contract {contract.name}, {proof}"
    if offline:
        return CheckResult(f"system {system.system}", f"{product}; {system.base_url}")
    from pv_testing.integrations import connect

    with Ledger.in_memory(quiet=True) as ledger, connect(system, ledger=ledger) as client:
        who = client.identity()
    return CheckResult(f"system {system.system}", f"{product}; {system.base_url} knows us as {who}")


def _failed(subject: str, error: IntegrationError) -> CheckResult:
    # A ConfigError has our own words only: "password: is missing" is no secret and stays readable.
    message = str(error) if isinstance(error, ConfigError) else redact(str(error), limit=4000)
    return CheckResult(subject, message, passed=False, label="FAILED")
