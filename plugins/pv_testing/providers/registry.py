"""Which provider speaks for which product; what the contract can say needs none of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pv_testing.contracts.model import Contract
from pv_testing.core.places import product_words
from pv_testing.ledger import Ledger
from pv_testing.providers.by_files import NoAddress, store_missing, with_files
from pv_testing.providers.found import ENTRY_POINTS, entry_point_of, usable
from pv_testing.providers.rest import RestProvider
from pv_testing.providers.session import make_auth, open_session
from pv_testing.providers.sql import SqlProvider
from pv_testing.transports.auth import Auth
from pv_testing.transports.files.store import OpenPath, open_store

if TYPE_CHECKING:
    from pv_testing.config import SystemConfig

Provider = TypeVar("Provider", bound=RestProvider)

PROVIDERS = {
    "asana": "pv_testing.providers.asana:AsanaProvider",
    "jira": "pv_testing.providers.jira:JiraProvider",
    "jira_dc": "pv_testing.providers.jira:JiraDataCenterProvider",
    "business_central": "pv_testing.providers.business_central:BusinessCentralProvider",
    "dataverse": "pv_testing.providers.dataverse:DataverseProvider",
    "erpnext": "pv_testing.providers.erpnext:ErpNextProvider",
    "labvantage": "pv_testing.providers.labvantage:LabVantageProvider",
    "microsoft_project": "pv_testing.providers.microsoft_project:MicrosoftProjectProvider",
    "netsuite": "pv_testing.providers.netsuite:NetSuiteProvider",
    "odoo": "pv_testing.providers.odoo:OdooProvider",
    "odoo_xmlrpc": "pv_testing.providers.odoo:OdooXmlRpcProvider",
    "redmine": "pv_testing.providers.redmine:RedmineProvider",
    "s4hana": "pv_testing.providers.s4hana:S4HanaProvider",
    "sap_qm": "pv_testing.providers.sap_qm:SapQmProvider",
    "senaite": "pv_testing.providers.senaite:SenaiteProvider",
    "tryton": "pv_testing.providers.tryton:TrytonProvider",
}


def provider_of(contract: Contract, config: SystemConfig) -> type[RestProvider]:
    """Return the class that speaks for a contract's product.

    That is the one that the configuration names, else the project's own or the entry point of the product's name, else
    the one that needs no Python.

    Args:
        contract: how the product is spoken to.
        config: the system's part of the configuration.

    Raises:
        ConfigError: the class can't be found or used, or two claim the product.
    """
    where = config.where or config.system
    if config.provider_class:
        return usable(config.provider_class, f"{where}: provider_class {config.provider_class!r}")
    words = product_words(contract.provider)
    ours = next((PROVIDERS[word] for word in words if word in PROVIDERS), "")
    theirs = entry_point_of(words, ours)
    if theirs:
        return usable(theirs, f"{where}: the entry point {contract.provider!r} of {ENTRY_POINTS}, {theirs!r}")
    if ours:
        return usable(ours, ours)
    return RestProvider if contract.database is None else SqlProvider


def auth_of(config: SystemConfig, contract: Contract, on_token: Callable[[str], None] | None = None) -> Auth:
    """Return how a configured system is told who asks: its product's own way, else the configured one.

    Args:
        config: which way, and the credentials.
        contract: what the way needs to know of the product.
        on_token: called with every token that is fetched.

    Raises:
        ConfigError: the configuration doesn't say how, or in a way that the product doesn't have.
    """
    return provider_of(contract, config).own_auth(config, on_token) or make_auth(config, contract, on_token)


def open_provider(
    config: SystemConfig,
    contract: Contract,
    ledger: Ledger,
    on_token: Callable[[str], None] | None = None,
    open_path: OpenPath | None = None,
) -> RestProvider:
    """Return the provider of a configured system, with a session of the running event loop.

    Args:
        config: the system's part of the configuration.
        contract: how its product is spoken to.
        ledger: where a system's wish to be left alone outlives this process.
        on_token: called with every token that is fetched.
        open_path: makes a path of the address of a store of files that is no folder of this machine.

    Raises:
        ConfigError: the configuration doesn't say how to authenticate, or where files go.
    """
    kind = provider_of(contract, config)
    if any(spec.files or spec.list_file for spec in contract.operations.values()):
        return _open_with_files(kind, config, contract, ledger, on_token, open_path)
    return _open(kind, config, contract, ledger, on_token)


def _open_with_files(
    kind: type[RestProvider],
    config: SystemConfig,
    contract: Contract,
    ledger: Ledger,
    on_token: Callable[[str], None] | None,
    open_path: OpenPath | None,
) -> RestProvider:
    address = str(config.options.get("file_store") or "")
    if not address:
        raise store_missing(contract)
    mixed = with_files(kind)
    if config.base_url:
        provider = _open(mixed, config, contract, ledger, on_token)
    else:
        provider = mixed(config, contract, NoAddress(contract))
    provider.store, provider.ledger = open_store(address, open_path), ledger
    return provider


def _open(
    kind: type[Provider],
    config: SystemConfig,
    contract: Contract,
    ledger: Ledger,
    on_token: Callable[[str], None] | None,
) -> Provider:
    own = kind.own_session(config, contract)
    if own is not None:
        return kind(config, contract, own)
    session = open_session(config, contract, ledger, on_token)
    session.auth = kind.own_auth(config, on_token) or session.auth
    provider = kind(config, contract, session)
    provider.ledger = ledger
    return provider
