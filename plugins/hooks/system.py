"""What the hooks of all systems share: a connection laid over the configuration file gives a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseHook

if TYPE_CHECKING:
    from airflow.providers.http.hooks.http import HttpHook
    from pv_testing.config import SystemConfig
    from pv_testing.integrations.client import SystemClient
    from pv_testing.ledger import Ledger


class SystemHook(BaseHook):
    """Makes the client of one system.

    The file ``config/integrations.yaml`` says how the system is spoken to, the connection gives address and secrets, and
    wins where both say something.

    Args:
        conn_id: the Airflow connection.
    """

    system: ClassVar[str]

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    def configuration(self) -> SystemConfig:
        """Return the system's configuration with the connection laid over it.

        Raises:
            ConfigError: the file or the connection can't be used; the message names what is wrong.
            AirflowNotFoundException: there is no such connection.
        """
        from pv_testing.config import load_config

        connection = self.get_connection(self.conn_id)
        return load_config().systems[self.system].with_connection(connection)

    def get_client(self, ledger: Ledger | None = None, owner: str = "") -> SystemClient:
        """Return a client of the system; whoever takes it closes it, best by ``with``.

        Args:
            ledger: where claims and outcomes are kept; without one they live as long as the client.
            owner: who acts, for leases and the audit trail.
        """
        raise NotImplementedError

    def client_arguments(self, ledger: Ledger | None, owner: str) -> dict[str, Any]:
        """Return what every client is made of; the tokens that it fetches are masked in the logs."""
        from airflow.sdk.log import mask_secret

        return {"config": self.configuration(), "ledger": ledger, "owner": owner, "on_token": mask_secret}

    def get_conn(self) -> SystemClient:
        """Return a client without a ledger of its own, for reading."""
        return self.get_client()

    def http(self, method: str = "GET") -> HttpHook:
        """Return Airflow's HTTP hook on the same connection, for a one-off call that the client has no method for.

        Args:
            method: of the calls that it will make.
        """
        from hooks.one_off import OneOffHttpHook

        return OneOffHttpHook(method=method, http_conn_id=self.conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """Ask the system who we are; the Test button of the connection's form calls this."""
        from pv_testing.errors import redact

        try:
            with self.get_client() as client:
                identity = client.identity()
        except Exception as error:  # noqa: BLE001 - whatever is wrong belongs on the form
            return False, redact(str(error))
        return True, f"{self.system} answers and knows us as {identity}."
