"""A provider that speaks to a database: every operation is one transaction."""

from __future__ import annotations

from typing import Any

from pv_testing.contracts.database import Statement
from pv_testing.contracts.model import Contract, OperationSpec
from pv_testing.core.records import Payload, Record
from pv_testing.exchange.operation import Operation
from pv_testing.providers.rest import RestOperation, RestProvider
from pv_testing.transports.rest import RestSession
from pv_testing.transports.sql_wire import IDENTITY


class SqlProvider(RestProvider):
    """Speaks to one database as its contract says; the arguments are those of :class:`RestProvider`."""

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine.

        Raises:
            ConfigError: the contract doesn't have it.
        """
        return SqlOperation(self.contract, self.contract.operation(name), self.session)

    async def call(self, name: str, /, **arguments: Any) -> Any:
        """Do what :meth:`RestProvider.call` does; of what is written, each value in the form that its column keeps."""
        statement = _statement(self.contract, self.contract.operation(name))
        said = arguments if statement.verb == "select" else statement.sent(arguments)
        return await super().call(name, **said)

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

    def __init__(self, contract: Contract, spec: OperationSpec, session: RestSession) -> None:
        super().__init__(contract, spec, session)
        self._statement = _statement(contract, spec)

    def prepare(self, record: Record) -> Payload:
        """Map and validate a record; each value has the form that its column keeps, so that what is found equals it."""
        return self._statement.sent(super().prepare(record))


def _statement(contract: Contract, spec: OperationSpec) -> Statement:
    assert contract.database is not None
    return contract.database.statements[spec.call.path.text]
