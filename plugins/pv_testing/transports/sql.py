"""SQL over the session of REST: the same deadlines, retries, limits, evidence and meaning of answers.

To those who use it, a statement is a path, its values are the query and the body, and the answer is JSON. What a
database says against a statement has the status that HTTP would give it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from yarl import URL

from pv_testing.contracts.database import DatabaseSpec
from pv_testing.transports.addresses import Addresses
from pv_testing.transports.outgoing_request import Carrier
from pv_testing.transports.rest import RestSession
from pv_testing.transports.settings import RestSettings
from pv_testing.transports.sql_engine import DatabaseLogin, address
from pv_testing.transports.sql_wire import SqlWire, Transaction


class SqlSession(RestSession):
    """One session with one database, for one event loop; an asynchronous context manager.

    Args:
        database: what the contract's calls do there.
        settings: how the database is reached.
        login: who asks.
        writing: gives a transaction for writes in the place of the session's own; see :class:`SqlWire`.
        on_pause: as of :class:`RestSession`.
        not_before: as of :class:`RestSession`.

    Attributes:
        together: whether ``writing`` was given, so that others settle what is written in the same transaction.
    """

    def __init__(
        self,
        database: DatabaseSpec,
        settings: RestSettings,
        login: DatabaseLogin,
        writing: Transaction | None = None,
        *,
        on_pause: Callable[[float], None] | None = None,
        not_before: float = 0.0,
    ) -> None:
        self._database, self._login, self._writing = database, login, writing
        self.together = writing is not None
        super().__init__(settings, on_pause=on_pause, not_before=not_before)

    def _new_way(self) -> tuple[Addresses, Carrier]:
        wire = SqlWire(self.settings, self._database, self._login, self._writing)
        return _Statements(self.settings.base_url), wire


class _Statements(Addresses):
    """The paths of statements, within one database.

    Args:
        base_url: of the database.

    Raises:
        ConfigError: it is no address of a database.
        SecurityError: it carries credentials.
    """

    def __init__(self, base_url: str) -> None:
        address(base_url)
        self._base = URL.build(scheme="sql", host="database")
        self.of = functools.cache(self._of)

    def _of(self, path: str) -> URL:
        return self._base.with_path(path)
