"""A provider that speaks to a database: every operation is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar

from pv_testing.contracts.bulk import Bulk
from pv_testing.contracts.database import ROWS, Statement
from pv_testing.contracts.model import Contract, OperationSpec
from pv_testing.core import settling
from pv_testing.core.records import Payload, Prepared, Record, Reply
from pv_testing.exchange.operation import Operation
from pv_testing.providers.rest import RestOperation, RestProvider
from pv_testing.transports.rest import RestSession
from pv_testing.transports.sql import SqlSession
from pv_testing.transports.sql_wire import IDENTITY, finish

ONE_TRANSACTION = "one_transaction"
"""The option that has records settled in the transaction that writes them."""


class SqlProvider(RestProvider):
    """Speaks to one database as its contract says; the arguments are those of :class:`RestProvider`."""

    known_options: ClassVar[Mapping[str, Any]] = {ONE_TRANSACTION: False}

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine.

        Raises:
            ConfigError: the contract doesn't have it.
        """
        together = isinstance(self.session, SqlSession) and self.session.together
        return SqlOperation(self.contract, self.contract.operation(name), self.session, one_transaction=together)

    async def call(self, name: str, /, **arguments: Any) -> Any:
        """Do what :meth:`RestProvider.call` does; of what is written, each value in the form that its column keeps."""
        statement = _statement(self.contract, self.contract.operation(name))
        values = arguments if statement.verb == "select" else statement.sent(arguments)
        return await super().call(name, **values)

    async def identity(self) -> str:
        """Return as whom the database knows the session, once it has shown that every column is there.

        Raises:
            AuthenticationError: it doesn't know the caller.
            ConfigError: a table or column isn't there, or may not be seen.
        """
        response = await self.session.request("GET", IDENTITY, operation="identity", repeatable=True)
        return str(response.json()["who"])


class SqlOperation(RestOperation):
    """One operation on a database; the arguments are those of :class:`RestOperation`."""

    def __init__(
        self, contract: Contract, spec: OperationSpec, session: RestSession, *, one_transaction: bool = False
    ) -> None:
        super().__init__(contract, spec, session)
        self._statement = _statement(contract, spec)
        self.limits = replace(self.limits, one_transaction=one_transaction)

    def prepare(self, record: Record) -> Payload:
        """Map and validate a record; each value has the form that its column keeps, so that what is found equals it."""
        return self._statement.sent(super().prepare(record))

    async def _send_one(self, item: Prepared) -> Reply:
        with self._settled([item], lambda row: [self._confirmed(self._spec.reply_id(row), row, item)]):
            return await super()._send_one(item)

    async def _send_bulk(self, batch: Sequence[Prepared], bulk: Bulk) -> Sequence[Reply]:
        with self._settled(batch, lambda answer: [self._reply(row, bulk) for row in answer[ROWS]]):
            return await super()._send_bulk(batch, bulk)

    @contextmanager
    def _settled(self, items: Sequence[Prepared], replies: Callable[[Any], Sequence[Reply]]) -> Iterator[None]:
        """Have the exchange settle records in the transaction that writes them, where it wants to."""
        settle = settling.settle.get()
        if settle is None:
            yield
            return
        token = finish.set(lambda connection, response: settle(connection, items, replies(response.json())))
        try:
            yield
        finally:
            finish.reset(token)


def _statement(contract: Contract, spec: OperationSpec) -> Statement:
    assert contract.database is not None
    return contract.database.statements[spec.call.path.text]
