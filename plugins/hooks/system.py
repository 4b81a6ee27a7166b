"""The base of the hooks of all systems: makes a client from a connection laid over the configuration file."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from hooks.ledger import LedgerHook
from hooks.metrics import AirflowMetrics
from hooks.missing import arefuse_doubt, no_connection, refuse_doubt
from hooks.object_storage import open_path
from pv_testing.core.metrics import send_to
from pv_testing.core.reasons import Reason

if TYPE_CHECKING:
    from airflow.providers.http.hooks.http import HttpHook
    from airflow.sdk import Connection

    from pv_testing.config import SystemConfig
    from pv_testing.integrations.client import SystemClient
    from pv_testing.ledger import Ledger


Client = TypeVar("Client", bound="SystemClient")


class SystemHook(BaseHook, Generic[Client]):
    """Makes the client of one system.

    The file ``config/integrations.yaml`` says how the system is spoken to, the connection gives address and secrets and
    wins where both say something. Where the file says everything, the default connection need not exist.

    Args:
        conn_id: the Airflow connection.
    """

    system: ClassVar[str]
    conn_type: ClassVar[str]
    default_conn_name: ClassVar[str]
    page_field: ClassVar[str] = ""

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    @classmethod
    def client_class(cls) -> type[Client]:
        """Return the class of the system's client; imported when it is needed and not before."""
        from pv_testing.integrations.connecting import CLIENTS

        return cast("type[Client]", CLIENTS[cls.system])

    def get_client(self, ledger: Ledger | None = None, owner: str = "") -> Client:
        """Return a client of the system; the caller closes it, best by ``with``.

        Args:
            ledger: where claims and outcomes are kept; without one, in the ledger that the connection ``pv_ledger`` or
                the configuration file names, which the client opens and closes.
            owner: the name of the actor, for leases and the audit trail.

        Raises:
            ConfigError: the file or a connection can't be used, or a connection that is needed doesn't exist; the
                message names the cause.
            NetworkError: Airflow can't say now whether there is a connection.
        """
        from airflow.sdk.log import mask_secret

        from pv_testing.ledger import Ledger

        send_to(AirflowMetrics())
        kept = ledger or partial(Ledger, LedgerHook().url())
        kind = self.client_class()
        return kind(config=self.configured(), ledger=kept, owner=owner, on_token=mask_secret, open_path=open_path)

    async def aget_client(self) -> Client:
        """Return a client within the running event loop, such as a trigger's; for ``async with``.

        Raises:
            ConfigError: as for :meth:`get_client`.
        """
        from pv_testing.ledger import Ledger

        send_to(AirflowMetrics())
        kept = partial(Ledger, await LedgerHook().aurl())
        try:
            config = self.configuration(await self.aget_connection(self.conn_id))
        except AirflowNotFoundException:
            await arefuse_doubt(self.conn_id)
            config = self._without_connection()
        return self.client_class()(config=config, ledger=kept, on_token=_mask_soon, open_path=open_path)

    def configured(self) -> SystemConfig:
        """Return the system's configuration, with the connection laid over it where there is one.

        Raises:
            ConfigError: the file or the connection can't be used, or a connection that is needed doesn't exist.
        """
        try:
            return self.configuration(self.get_connection(self.conn_id))
        except AirflowNotFoundException:
            refuse_doubt(self.conn_id)
            return self._without_connection()

    def _without_connection(self) -> SystemConfig:
        """Return the file's configuration, where no other connection than the default one was asked for."""
        from pv_testing.config import load_config
        from pv_testing.core.errors import ConfigError

        if self.conn_id != self.default_conn_name:
            raise no_connection(self.conn_id, self.conn_type, self.system)
        config = load_config().systems[self.system]
        try:
            return config.ready()
        except ConfigError as error:
            if error.code == Reason.DISABLED:
                raise
            raise no_connection(self.conn_id, self.conn_type, self.system, error.message) from None

    @classmethod
    def configuration(cls, connection: Connection) -> SystemConfig:
        """Return the system's configuration with a connection laid over it.

        Args:
            connection: its filled-in fields win over the file; one of a database is read as its own hook does.
        """
        from hooks.database import as_system
        from pv_testing.config import load_config

        return load_config().systems[cls.system].with_connection(as_system(connection))

    def get_conn(self) -> Client:
        """Return a client, as :meth:`get_client` does."""
        return self.get_client()

    def record_page(self, record_id: str, key: str) -> str:
        """Return where a person sees a record in the system, or nothing where the connection doesn't say.

        Args:
            record_id: its id there.
            key: its business key; its first part is the service request's number.
        """
        from pv_testing.core.keys import split

        try:
            page = self.get_connection(self.conn_id).extra_dejson.get(self.page_field) or ""
        except AirflowNotFoundException:
            page = ""
        filled = str(page).replace("{id}", record_id).replace("{key}", key)
        return filled.replace("{project_id}", split(key)[0])

    def http(self, method: str = "GET") -> HttpHook:
        """Return Airflow's HTTP hook with the client's configuration, for a one-off call.

        Args:
            method: of the calls that it will make.
        """
        from hooks.one_off import OneOffHttpHook

        return OneOffHttpHook(self.configured, method=method, http_conn_id=self.conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """Ask the system for the account that we use; the Test button of the connection's form calls this."""
        from pv_testing.core.errors import IntegrationError, redact
        from pv_testing.ledger import Ledger

        try:
            with Ledger.in_memory(quiet=True) as ledger, self.get_client(ledger) as client:
                identity = client.identity()
        except Exception as error:  # noqa: BLE001 - whatever is wrong belongs on the form
            return False, str(error) if isinstance(error, IntegrationError) else redact(str(error))
        return True, f"{self.system} answers and knows us as {identity}."


def _mask_soon(token: str) -> None:
    """Mask a token in the logs; a call that waits for the supervisor would block the event loop."""
    from airflow.sdk.log import amask_secret

    task = asyncio.get_running_loop().create_task(amask_secret(token))
    _MASKING.add(task)
    task.add_done_callback(_MASKING.discard)


_MASKING: set[asyncio.Task[None]] = set()
