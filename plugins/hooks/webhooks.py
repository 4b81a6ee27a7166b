"""Webhooks with Airflow: the connection of an endpoint or a sender, and the manager that reads secrets there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

if TYPE_CHECKING:
    from pv_testing.ledger import Ledger
    from pv_testing.ledger.endpoints import Endpoint
    from pv_testing.webhooks import WebhookManager
    from pv_testing.webhooks.secrets import Secrets
    from pv_testing.webhooks.settings import WebhookSettings


class WebhookHook(BaseHook):
    """Registers the endpoint of a connection, and gives the manager of all.

    Args:
        webhook_conn_id: a connection whose host is the endpoint's address and whose password is its secret; a sender's
            connection needs the password only.
    """

    conn_name_attr = "webhook_conn_id"
    default_conn_name = "pv_webhook"
    conn_type = "pv_webhook"
    hook_name = "PV Testing webhook"

    def __init__(self, webhook_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.webhook_conn_id = webhook_conn_id

    def get_conn(self) -> dict[str, Any]:
        """Return the endpoint that the connection describes: its address and the events that it wants."""
        connection = self.get_connection(self.webhook_conn_id)
        return {"url": connection.host or "", "events": str(connection.extra_dejson.get("events") or "*").split()}

    def register(self, manager: WebhookManager) -> Endpoint:
        """Register the connection's endpoint; the same once more changes nothing.

        Args:
            manager: of :meth:`manager`.

        Raises:
            SecurityError: its address may not be told of events.
            DataError: it wants an event that there is not.
            ConfigError: it has no secret that can be used.
        """
        return manager.register(secret=f"connection:{self.webhook_conn_id}", **self.get_conn())

    @classmethod
    def secrets(cls, settings: WebhookSettings) -> Secrets:
        """Return what finds secrets in connections, too."""
        from pv_testing.webhooks.secrets import Secrets

        return Secrets(settings.secrets_file, cls._password)

    @classmethod
    def manager(cls, ledger: Ledger, owner: str = "") -> WebhookManager:
        """Return a manager that reads secrets from connections.

        Args:
            ledger: where endpoints and events are.
            owner: who acts.
        """
        from pv_testing.webhooks import WebhookManager
        from pv_testing.webhooks.settings import load_settings

        settings = load_settings()
        return WebhookManager(ledger, settings=settings, secrets=cls.secrets(settings), owner=owner)

    @classmethod
    def _password(cls, conn_id: str) -> str:
        try:
            return str(cls.get_connection(conn_id).password or "")
        except AirflowNotFoundException:
            return ""

    def test_connection(self) -> tuple[bool, str]:
        """Say whether the endpoint could be registered; the Test button of the connection's form calls this."""
        from pv_testing.core.errors import IntegrationError
        from pv_testing.webhooks.settings import load_settings

        try:
            settings = load_settings()
            self.secrets(settings).get(f"connection:{self.webhook_conn_id}")
            url = self.get_conn()["url"]
            if url:
                settings.guard.check(url)
        except IntegrationError as error:
            return False, str(error)
        return True, "The address may be told of events, and the secret can be used; nothing was sent."
