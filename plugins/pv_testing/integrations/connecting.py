"""From a system's configuration to its client."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pv_testing.core.errors import ConfigError
from pv_testing.integrations.client import SystemClient
from pv_testing.integrations.erp import ERPClient
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.integrations.lims import LIMSClient
from pv_testing.integrations.pm import PMClient
from pv_testing.integrations.qms import QMSClient
from pv_testing.ledger import Ledger

if TYPE_CHECKING:
    from pv_testing.config import SystemConfig

CLIENTS: dict[str, type[SystemClient]] = {
    client.system: client for client in (FrameworkClient, LIMSClient, QMSClient, PMClient, ERPClient)
}


def connect(
    config: SystemConfig,
    *,
    ledger: Ledger | Callable[[], Ledger] | None = None,
    owner: str = "",
    on_token: Callable[[str], None] | None = None,
) -> SystemClient:
    """Return the client of a configured system; nothing is sent before its first call.

    Args:
        config: the system's part of the configuration.
        ledger: where exchanges are kept, or a function that opens it; without one, in the configured ledger.
        owner: who acts, for leases and the audit trail.
        on_token: called with every token that the client fetches, so that logs can mask it.

    Raises:
        ConfigError: there is no client for the system, or its contract can't be used.
    """
    client = CLIENTS.get(config.system)
    if client is None:
        known = ", ".join(sorted(CLIENTS))
        raise ConfigError(f"there is no client for the system {config.system!r}; there are clients for {known}")
    return client(config=config, ledger=ledger, owner=owner, on_token=on_token)
