"""The ledger behind the Airflow connection ``pv_ledger``: a SQLite file on a laptop, PostgreSQL in production."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from hooks.missing import arefuse_doubt, no_connection, refuse_doubt

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from pv_testing.ledger import Ledger

FILE = "pv_ledger.sqlite"


class LedgerHook(BaseHook):
    """Opens the ledger.

    Args:
        ledger_conn_id: the connection; where the default one doesn't exist, the configuration file says where the
            ledger is, and else it is a file in the Airflow home.
    """

    conn_name_attr = "ledger_conn_id"
    default_conn_name = "pv_ledger"
    conn_type = "pv_ledger"
    hook_name = "PV Testing ledger"

    def __init__(self, ledger_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.ledger_conn_id = ledger_conn_id

    def url(self) -> str:
        """Return the ledger's SQLAlchemy address, its password included.

        Raises:
            ConfigError: a connection was named that doesn't exist, or there is none and the configuration file can't be
                used.
            NetworkError: Airflow can't say now whether there is one.
        """
        try:
            return address(self.get_connection(self.ledger_conn_id))
        except AirflowNotFoundException:
            refuse_doubt(self.ledger_conn_id)
            return self._configured()

    async def aurl(self) -> str:
        """Return the same address as :meth:`url`, within the running event loop."""
        try:
            return address(await self.aget_connection(self.ledger_conn_id))
        except AirflowNotFoundException:
            await arefuse_doubt(self.ledger_conn_id)
            return await asyncio.to_thread(self._configured)

    def _configured(self) -> str:
        """Return the configuration file's address, where no connection was named."""
        if self.ledger_conn_id != self.default_conn_name:
            raise no_connection(self.ledger_conn_id, self.conn_type)
        from pv_testing.config import configured_ledger_url

        return configured_ledger_url()

    def get_conn(self) -> Ledger:
        """Open the ledger; the caller closes it, best by ``with``.

        Raises:
            ConfigError: as for :meth:`url`.
            LedgerError: it can't be opened.
        """
        from pv_testing.ledger import Ledger

        return Ledger(self.url())

    def test_connection(self) -> tuple[bool, str]:
        """Open the ledger and count its waiting records; the Test button of the connection's form calls this."""
        from pv_testing.core.errors import IntegrationError, redact

        try:
            with self.get_conn() as ledger:
                waiting = len(ledger.waiting())
        except Exception as error:  # noqa: BLE001 - whatever is wrong belongs on the form
            return False, str(error) if isinstance(error, IntegrationError) else redact(str(error))
        return True, f"The ledger can be read; {waiting} records wait for a person."


def address(connection: Connection) -> str:
    """Return the SQLAlchemy address that a connection stands for."""
    from sqlalchemy.engine import URL

    extra = connection.extra_dejson
    if not connection.host:
        return f"sqlite:///{_home() / (extra.get('path') or FILE)}"
    query = {"sslmode": extra["sslmode"]} if extra.get("sslmode") else {}
    return URL.create(
        "postgresql+psycopg",
        username=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        database=connection.schema,
        query=query,
    ).render_as_string(hide_password=False)


def _home() -> Path:
    return Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()
