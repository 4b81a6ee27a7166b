"""What every provider gains whose contract has operations by files, and what one is that has no address at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NoReturn

from pv_testing.contracts.model import Contract
from pv_testing.core.errors import ConfigError
from pv_testing.core.reasons import Reason
from pv_testing.exchange.operation import Operation
from pv_testing.providers.files import FileOperation
from pv_testing.providers.list_files import met, read_list
from pv_testing.providers.rest import RestProvider
from pv_testing.transports.auth import Auth
from pv_testing.transports.files.store import FileStore
from pv_testing.transports.rest import RestSession


class ByFiles(RestProvider):
    """Put before a product's class: its operations by files never reach that one.

    Attributes:
        store: where the folders are.
    """

    store: FileStore

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine: by files where the contract says so."""
        spec = self.contract.operation(name)
        return FileOperation(self.contract, spec, self.store, self.ledger) if spec.files else super().operation(name)

    async def listing(self, name: str, /, **criteria: Any) -> AsyncIterator[dict[str, Any]]:
        """Give every item of a listing: from the file that the system writes, where the contract says so."""
        spec = self.contract.operation(name)
        if spec.list_file is None:
            rows = super().listing(name, **criteria)
            async for row in rows:
                yield row
            return
        request = spec.call.request({name: value for name, value in criteria.items() if value is not None})
        for row in met(await read_list(self.store, spec.list_file), request.params):
            yield row

    async def identity(self) -> str:
        """Return as whom the system knows the caller; a store of files knows no caller, but must be there."""
        if not isinstance(self.session, NoAddress):
            return await super().identity()
        for spec in self.contract.operations.values():
            if spec.files is not None:
                self.store.names(spec.files.folder)
        return f"whoever may use {self.store.where('')}; a store of files doesn't say as whom"


class NoAddress(RestSession):
    """The session with a system that takes files and nothing else.

    Args:
        contract: the system's.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self.auth = Auth()
        self.watch = None

    async def request(self, *_: Any, operation: str = "", **__: Any) -> NoReturn:
        """Refuse.

        Raises:
            ConfigError: there is nowhere to send a request to.
        """
        message = "is a request, and no base_url is configured; the system is reached by files only"
        raise ConfigError(f"{operation} {message}", system=self._contract.system, code=Reason.SETTING_MISSING)

    async def aclose(self) -> None:
        """Close nothing."""


def with_files(kind: type[RestProvider]) -> type[ByFiles]:
    """Return a product's class with operations by files."""
    return type(kind.__name__, (ByFiles, kind), {})


def store_missing(contract: Contract) -> ConfigError:
    """Return the error for a contract with operations by files and a configuration without a store."""
    names = ", ".join(name for name, spec in contract.operations.items() if spec.files or spec.list_file)
    message = f"{contract.file}: {names} go by files; say where by options: {{file_store: FOLDER}}"
    return ConfigError(message, system=contract.system, code=Reason.SETTING_MISSING)
