"""What the clients of all systems have in common: configuration, session, ledger and the two faces of every call."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pv_testing.contracts.fields import FieldMap
from pv_testing.contracts.load import load_contract
from pv_testing.core.errors import AmbiguousOutcome, MappingError, NetworkError, Rejected, ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.core.sync import run
from pv_testing.exchange.earlier_keys import with_earlier_keys
from pv_testing.exchange.engine import Exchange
from pv_testing.exchange.report import Report
from pv_testing.integrations import addresses
from pv_testing.integrations.given import Given, in_words_of, unknown
from pv_testing.integrations.keeping import open_configured_ledger
from pv_testing.integrations.matching import LISTINGS, key_reader, matching
from pv_testing.integrations.unsent import Make, unsent
from pv_testing.ledger import Ledger
from pv_testing.providers.registry import open_provider, provider_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from pv_testing.config import SystemConfig
    from pv_testing.providers.rest import RestProvider
    from pv_testing.transports.files.store import OpenPath


class SystemClient:
    """A system of the laboratory, reached as its configuration and its contract say.

    Args:
        base_url: the address; without it and without ``config``, the configuration file says it.
        config: the system's part of the configuration.
        ledger: where exchanges are kept, or a function that opens it; without one, in the configured ledger. The client
            closes what it has opened itself.
        owner: who acts, for leases and the audit trail.
        on_token: called with every token that the client fetches, so that logs can mask it.
        open_path: makes a path of the address of a store of files that is no folder of this machine.
        credentials: what else the configuration of a system has, such as ``api_key``, ``username``, ``password``,
            ``client_id``, ``client_secret``.

    Raises:
        ConfigError: the configuration or the contract can't be used.
    """

    system: ClassVar[str]
    words: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """What the guide calls the project's fields, by operation, where it calls them otherwise."""

    def __init__(
        self,
        base_url: str | None = None,
        *,
        config: SystemConfig | None = None,
        ledger: Ledger | Callable[[], Ledger] | None = None,
        owner: str = "",
        on_token: Callable[[str], None] | None = None,
        open_path: OpenPath | None = None,
        **credentials: Any,
    ) -> None:
        from pv_testing.config import system_config
        from pv_testing.config.options import chosen

        self.config = config or system_config(self.system, base_url=base_url, **credentials)
        self.contract = load_contract(self.config.contract, self.config.mappings)
        self.options = chosen(self.config, provider_of(self.contract, self.config).known_options)
        self.owner = owner
        self._ledger = None if callable(ledger) else ledger
        self._own_ledger = self._ledger is None
        self._open_ledger = ledger if callable(ledger) else open_configured_ledger
        self._ledger_lock = threading.Lock()
        self._on_token = on_token
        self._open_path = open_path
        self._providers: dict[asyncio.AbstractEventLoop, RestProvider] = {}
        self._opening: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}
        self._closed = False

    @property
    def ledger(self) -> Ledger:
        """Where the client's exchanges are kept.

        Raises:
            ConfigError: the configuration file doesn't say where, in a way that can be used.
            LedgerError: it can't be opened.
        """
        with self._ledger_lock:
            if self._ledger is None:
                self._ledger = self._open_ledger()
            return self._ledger

    async def provider(self) -> RestProvider:
        """Return the provider with a session of the running event loop.

        Raises:
            NetworkError: the client was closed; calls that are still under way send nothing more.
        """
        loop = asyncio.get_running_loop()
        if loop not in self._providers:
            async with self._opening.setdefault(loop, asyncio.Lock()):
                if loop not in self._providers:
                    self._refuse_closed()
                    self._providers[loop] = await asyncio.to_thread(self._open)
        self._refuse_closed()
        return self._providers[loop]

    def _open(self) -> RestProvider:
        """Open a session; it asks the ledger how long the system wants to be left alone."""
        return open_provider(self.config, self.contract, self.ledger, self._on_token, self._open_path)

    def _refuse_closed(self) -> None:
        if self._closed:
            message = "the client was closed and sends nothing more; open it again with `with`, or make a new one"
            raise NetworkError(message, system=self.system)

    async def aexchange(
        self, operation: str, records: Sequence[Record], *, replay: bool = False, dry_run: bool = False
    ) -> Report:
        """Run one operation of the contract over many records, each of which takes effect exactly once.

        Args:
            operation: its name in the contract.
            records: what to carry, in the project's words.
            replay: try records again that wait for a person with the same content.
            dry_run: only say what would happen.
        """
        carried = (await self.provider()).operation(operation)
        await asyncio.to_thread(addresses.notice, self.ledger, self.system, self.config.base_url, keep=not dry_run)
        records = await asyncio.to_thread(with_earlier_keys, self.ledger, self.system, carried.kind, records)
        exchange = Exchange(carried, self.ledger, owner=self.owner, replay=replay)
        return await asyncio.to_thread(exchange.plan, records) if dry_run else await exchange.arun(records)

    def exchange(self, operation: str, records: Sequence[Record], *, replay: bool = False) -> Report:
        """Do what :meth:`aexchange` does, and wait for it."""
        return run(self.aexchange(operation, records, replay=replay))

    def _carry(self, operation: str, records: Sequence[Record]) -> Report:
        """Run an operation over records that were given in the guide's words, and speak of their fields in these."""
        return in_words_of(self.exchange(operation, records), self.words.get(operation, {}))

    def _carry_all(
        self, operation: str, many: Sequence[Given], make: Make, known: Collection[str] | None = None
    ) -> Report:
        """Run an operation over many records, each given in the guide's words; the arguments are :meth:`_whole`'s."""
        return self._carry(operation, [self._whole(operation, given, make, known) for given in many])

    def _carry_keyed(
        self,
        operation: str,
        many: Iterable[tuple[str, Given]],
        make: Callable[[str, Given], Record],
        known: Collection[str] | None = None,
    ) -> Report:
        """Do what :meth:`_carry_all` does where the business key of each record is known before."""
        return self._carry(operation, [self._whole(operation, given, partial(make, key), known) for key, given in many])

    def _whole(self, operation: str, given: Given, make: Make, known: Collection[str] | None = None) -> Record:
        """Return the record of a caller's arguments, or one with its problem where not all of them would be sent.

        Args:
            operation: that carries it.
            given: the caller's arguments; empty ones and those with the method's defaults don't count.
            make: makes the record of it.
            known: the fields of the guide, where ``make`` doesn't refuse others; those of the map are taken besides.
        """
        record = make(given)
        fields = self._heard(operation)
        if record.problem or fields is None:
            return record
        problem = unknown(given, {*known, *fields.mapping}) if known is not None else None
        return replace(record, problem=problem or self._unsent(operation, given, make, fields))

    def _heard(self, operation: str) -> FieldMap | None:
        """Return the map of an operation with what it drops on purpose; ``None`` where all that is said is sent."""
        fields = self.contract.operation(operation).map
        return None if fields is None else self.contract.heard[fields.name]

    def _unsent(self, operation: str, given: Given, make: Make, fields: FieldMap) -> MappingError | None:
        method = inspect.signature(getattr(type(self), operation))
        defaults = {name: each.default for name, each in method.parameters.items()}
        names = unsent(given, make, fields, defaults)
        if not names:
            return None
        ours = {theirs: ours for ours, theirs in self.words.get(operation, {}).items()}
        outer, _, inner = names[0].partition(".")
        map_name = fields.lists.get(ours.get(outer, outer), fields.name)
        name = ours.get(inner or outer, inner or outer)
        message = (
            f"{', '.join(names)}: map {map_name} of the contract {self.contract.name} sends nothing of it; leave it "
            f"out, or say there where it goes, or `{name}: {{drop: true}}`"
        )
        return MappingError(message, code=Reason.FIELD_UNKNOWN)

    async def acall(self, operation: str, /, **arguments: Any) -> Any:
        """Make one call of the contract that needs no ledger, such as a read.

        Returns:
            The decoded JSON, or bytes where the contract says so.
        """
        return await (await self.provider()).call(operation, **arguments)

    def call(self, operation: str, /, **arguments: Any) -> Any:
        """Do what :meth:`acall` does, and wait for it."""
        return run(self.acall(operation, **arguments))

    async def _amatching(self, listing: str, asked: str) -> list[dict[str, Any]]:
        """Return the rows of a listing that have a business key; what else a system answers with is no answer.

        Args:
            listing: one that is asked for single records, such as ``get_tasks``.
            asked: the business key.

        Raises:
            ResponseError: there are only rows of others (``FILTER_IGNORED``), or one has no key (``KEY_MISSING``).
        """
        rows = await self.alist(listing, **{LISTINGS[listing].word: asked})
        with self._speaking_of(listing):
            return matching(rows, key_reader(self.contract, listing), asked)

    @contextmanager
    def _speaking_of(self, operation: str) -> Iterator[None]:
        """Say in errors about an answer which system has given it, to what."""
        try:
            yield
        except ResponseError as error:
            raise error.about(system=self.system, provider=self.config.provider, operation=operation) from None

    async def alist(self, operation: str, /, **criteria: Any) -> list[dict[str, Any]]:
        """Return every item of a listing, page by page."""
        return [item async for item in (await self.provider()).listing(operation, **criteria)]

    def list(self, operation: str, /, **criteria: Any) -> list[dict[str, Any]]:
        """Do what :meth:`alist` does, and wait for it."""
        return run(self.alist(operation, **criteria))

    async def aidentity(self) -> str:
        """Return as whom the system knows this client.

        Raises:
            AuthenticationError: it doesn't know it, even where it answers other calls with an empty success.
        """
        return await (await self.provider()).identity()

    def identity(self) -> str:
        """Do what :meth:`aidentity` does, and wait for it."""
        return run(self.aidentity())

    def authenticate(self) -> str:
        """Check the credentials, as the guide's samples do; the same as :meth:`identity`."""
        return self.identity()

    def one(self, report: Report) -> dict[str, Any]:
        """Return what the system says of the only record of a report.

        Raises:
            MappingError: the record can't be carried.
            Rejected: the system refuses it.
            AmbiguousOutcome: its fate is unclear; the same call again looks it up.
        """
        if report.error is not None:
            raise report.error
        (outcome,) = report.outcomes
        if outcome.result.in_effect:
            return {**outcome.body, "id": outcome.external_id}
        raise failure(outcome).about(system=self.system, provider=self.config.provider, operation=report.operation)

    async def aclose(self) -> None:
        """Close the sessions of the running event loop, and the ledger when it is the client's own."""
        self._closed = True
        provider = self._providers.pop(asyncio.get_running_loop(), None)
        if provider is not None:
            await provider.aclose()
        if self._own_ledger and self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    def close(self) -> None:
        """Do what :meth:`aclose` does, and wait for it."""
        run(self.aclose())

    def __enter__(self) -> Self:
        self._closed = False
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        self._closed = False
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def failure(outcome: Outcome) -> MappingError | Rejected | AmbiguousOutcome:
    """Return the error that says why a record is not in effect."""
    if outcome.result is Result.QUARANTINED:
        return MappingError(outcome.reason, key=outcome.key, code=outcome.code)
    if outcome.result is Result.REJECTED:
        return Rejected(outcome.reason, key=outcome.key, code=outcome.code)
    deferred = AmbiguousOutcome(outcome.reason, key=outcome.key, code=outcome.code)
    deferred.recorded = True
    return deferred
