"""Airflow's HTTP hook with the configuration of this project's clients."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import Connection

from pv_testing.core.errors import ConfigError

if TYPE_CHECKING:
    import requests

    from pv_testing.config import SystemConfig


class OneOffHttpHook(HttpHook):
    """Makes calls with the address, the way of authenticating and the certificates that the client has.

    Airflow's hook sends every extra field of a connection as a header, a client secret too; here only the header that
    authenticates becomes one.

    Args:
        configuration: gives the system's configuration when a call is made.
        method: of the calls.
        http_conn_id: the connection that is laid over the file, for messages.
    """

    def __init__(self, configuration: Callable[[], SystemConfig], method: str, http_conn_id: str) -> None:
        super().__init__(method=method, http_conn_id=http_conn_id)
        self._configuration = configuration

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> requests.Session:
        """Return a session of ``requests``, as Airflow's hook does.

        Args:
            headers: to send besides.
            extra_options: of ``requests``.
        """
        session = super().get_conn(headers, extra_options)
        certificate: Any = session.cert
        if isinstance(certificate, list):  # as JSON has it; requests takes a pair
            session.cert = tuple(certificate)
        return session

    def get_connection(self, conn_id: str) -> Connection:  # type: ignore[override]
        """Return the system's configuration as a connection of Airflow's own type ``http``.

        Args:
            conn_id: of the connection.

        Raises:
            ConfigError: the system's authentication takes more than a header; the client speaks it.
            SecurityError: the address has no TLS and is not on this machine.
        """
        from pv_testing.transports.addresses import checked_address

        config = self._configuration()
        checked_address(config.base_url, allow_http=config.allow_http)
        extra = {**_headers(config), **_certificates(config)}
        return Connection(conn_id=conn_id, conn_type="http", host=config.base_url, extra=json.dumps(extra))


def _headers(config: SystemConfig) -> dict[str, str]:
    """Return the headers with which the client authenticates each request."""
    from pv_testing.contracts import load_contract
    from pv_testing.providers.registry import auth_of

    auth = auth_of(config, load_contract(config.contract, config.mappings))
    headers = auth.current()
    if headers is None or auth.by_request:
        way = f"authenticate with {config.auth_type}, which takes more than a header"
        raise ConfigError(f"a one-off call can't {way}; use the hook's client", system=config.system, code="ONE_OFF")
    return dict(headers)


def _certificates(config: SystemConfig) -> dict[str, Any]:
    """Return the files that the client would use, as Airflow's hook calls them."""
    own = {"cert": [config.client_cert, config.client_key]} if config.client_cert else {}
    return {**own, "verify": config.ca_cert} if config.ca_cert else own
