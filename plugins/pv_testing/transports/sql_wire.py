"""Carries requests into a database: each is one transaction, in a thread of its own, within its time.

Up to its commit a transaction has surely done nothing. At the commit the clock is looked at once more, and from there
on a lost connection leaves the outcome open.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, exc, func, select

from pv_testing.contracts.database import DatabaseSpec, Statement
from pv_testing.core import lease
from pv_testing.core.errors import AmbiguousOutcome, ConfigError, DeadlineExceeded, NetworkError
from pv_testing.core.reasons import Reason
from pv_testing.core.response import Response
from pv_testing.core.sync import close_with
from pv_testing.transports import sql_errors
from pv_testing.transports.outgoing_request import Again, OutgoingRequest
from pv_testing.transports.settings import RestSettings
from pv_testing.transports.sql_engine import GRACE, DatabaseLogin, open_engine
from pv_testing.transports.sql_rows import RefusedRow, Rows
from pv_testing.transports.sql_statements import Tables, release_turn, who

IDENTITY = "/:identity"
"""The path of the request that asks as whom the database knows the session, and whether it has all columns."""
CUT_SECONDS = 5.0
"""How long a thread may take to notice that its connection was cut."""
Finish = Callable[[Connection, Response], None]
finish: contextvars.ContextVar[Finish | None] = contextvars.ContextVar("finish", default=None)
"""What else is done in the transaction of a write, right before its commit."""
Transaction = Callable[[], Any]


class SqlWire:
    """Sends requests over connections that it keeps.

    Args:
        settings: how the database is reached.
        database: what the contract's calls do there.
        login: who asks.
        writing: gives a connection within a transaction in the place of this wire's own, and commits it; ``None``
            where writes have a transaction to themselves.

    Attributes:
        closed: whether nothing is sent any more, whoever still waits to.
    """

    def __init__(
        self, settings: RestSettings, database: DatabaseSpec, login: DatabaseLogin, writing: Transaction | None = None
    ) -> None:
        self._settings = settings
        self._database = database
        self._login = login
        self._writing = writing or self._transaction
        self._checked = writing is None
        self._engine: Engine | None = None
        self._rows: Rows | None = None
        self._tables: Tables | None = None
        self._opening = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self.closed = False

    async def send(self, call: OutgoingRequest, headers: Mapping[str, str]) -> Response:
        """Carry a request out once.

        Args:
            call: what to do.
            headers: nothing; a database knows the caller by its session.

        Raises:
            Again: nothing was done, and another try may help.
            AmbiguousOutcome: the connection was lost at the commit.
            NetworkError: the session was closed before, or there is no time.
            AuthenticationError: the database doesn't know the caller.
            ConfigError: it lacks what the contract names.
            SecurityError: it isn't reached over verified TLS, or the rows are too large.
        """
        del headers
        if self.closed:
            raise NetworkError("the session was closed; nothing was sent")
        call.written = False
        seconds = min(call.left(), self._settings.attempt_timeout)
        job = _Job(call)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._settings.concurrency, "pv-testing-sql")
            close_with(self, self.aclose_later())
        context = contextvars.copy_context()
        running = asyncio.get_running_loop().run_in_executor(self._threads, context.run, self._carry_out, job)
        try:
            return await asyncio.wait_for(asyncio.shield(running), seconds + GRACE)
        except asyncio.TimeoutError:
            return await self._cut(job, running)
        except asyncio.CancelledError:
            job.abandon()
            running.add_done_callback(_look_away)
            raise

    def aclose_later(self) -> Callable[[], Any]:
        """Return what closes the connections without holding on to this wire."""
        threads = self._threads

        async def close() -> None:
            if threads is not None:
                threads.shutdown(wait=False, cancel_futures=True)

        return close

    async def aclose(self) -> None:
        """Close the connections, once what is under way has ended."""
        threads, self._threads = self._threads, None
        engine, self._engine = self._engine, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown, wait=True, cancel_futures=True)
        if engine is not None:
            await asyncio.to_thread(engine.dispose)

    async def _cut(self, job: _Job, running: asyncio.Future[Response]) -> Response:
        """End a request that takes too long, and let it say itself how far it came."""
        written = job.abandon()
        job.cut()
        done, _ = await asyncio.wait({running}, timeout=CUT_SECONDS)
        if done and running.exception() is None:
            return running.result()
        running.add_done_callback(_look_away)
        if done and written:
            raise running.exception() or AssertionError
        what = "the database did not answer in time"
        if written:
            raise AmbiguousOutcome(f"{what}; the request may have taken effect")
        raise Again(DeadlineExceeded(f"{what}; nothing was done"))

    def _carry_out(self, job: _Job) -> Response:
        call = job.call
        try:
            if call.url.path == IDENTITY:
                return self._identify(job)
            statement = self._database.statements[call.url.path]
            body = orjson.loads(call.data) if call.data else {}
            return self._read(job, statement, body) if statement.verb == "select" else self._write(job, statement, body)
        except RefusedRow as refused:
            return _response(call, refused.status, refused.body())
        except exc.TimeoutError as error:
            raise Again(NetworkError("no connection to the database is free; nothing was done")) from error
        except _Undone as undone:
            return self._understood(call, undone.error)
        except exc.DBAPIError as error:
            if call.written:
                raise _in_doubt(error) from error
            return self._understood(call, error)

    def _identify(self, job: _Job) -> Response:
        with self._connected(job) as connection, connection.begin():
            for probe in self._opened()[1].probes():
                connection.execute(probe)
            asking = who(connection.dialect.name)
            name = str(connection.exec_driver_sql(asking).scalar()) if asking else f"who may open {self._place()}"
        return _response(job.call, 200, {"who": name})

    def _place(self) -> str:
        return self._settings.base_url.rpartition("/")[2]

    def _read(self, job: _Job, statement: Statement, body: Any) -> Response:
        with self._connected(job) as connection, connection.begin():
            answer = self._opened()[2].read(connection, statement, dict(job.call.url.query), body)
        return _response(job.call, 200, answer)

    def _write(self, job: _Job, statement: Statement, body: Any) -> Response:
        rows = self._opened()[2]
        with self._writing() as connection:
            job.hold(connection)
            try:
                self._refuse_elsewhere(connection)
                response = _response(job.call, 200, rows.write(connection, statement, body))
                completes = finish.get()
                if completes is not None:
                    completes(connection, response)
                job.begin_commit()
                self._commit(connection)
            except exc.DBAPIError as error:
                raise _Undone(error) from error
            finally:
                job.let_go()
        return response

    def _refuse_elsewhere(self, connection: Connection) -> None:
        """Show once that a transaction of others is in the database that is read: a lock taken there is seen here.

        Raises:
            ConfigError: it isn't (``ONE_TRANSACTION``).
        """
        if self._checked:
            return
        number = secrets.randbits(62)
        with self._transaction() as own:
            if own.dialect.name != "postgresql" or not _locks(connection, number) or _locks(own, number):
                message = (
                    "options.one_transaction: the ledger isn't in the database that base_url names; nothing was done"
                )
                raise ConfigError(message, code=Reason.ONE_TRANSACTION)
        self._checked = True

    def _commit(self, connection: Connection) -> None:
        """Commit; an error from here on leaves it open, unless it is the server's own word against the commit."""
        try:
            connection.commit()
        except exc.DBAPIError as error:
            if sql_errors.refused_at_commit(error):
                raise
            raise _in_doubt(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._connection() as connection:
            connection.execution_options(writing=True)
            connection.begin()
            try:
                yield connection
            finally:
                # What goes wrong here must not hide what was raised before: the connection is gone then, anyway.
                with suppress(exc.DBAPIError):
                    connection.rollback()
                    release_turn(connection)
                    connection.rollback()

    @contextmanager
    def _connected(self, job: _Job) -> Iterator[Connection]:
        with self._connection() as connection:
            job.hold(connection)
            try:
                yield connection
            finally:
                job.let_go()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        engine = self._opened()[0]
        try:
            connection = engine.connect()
        except exc.DBAPIError as error:
            raise _at_connect(error) from None
        with connection:
            yield connection

    def _opened(self) -> tuple[Engine, Tables, Rows]:
        with self._opening:
            if self._engine is None or self._tables is None or self._rows is None:
                settings = self._settings
                self._engine = open_engine(settings, self._login, writes=self._database.writes)
                self._tables = Tables(self._database, self._engine.dialect)
                self._rows = Rows(self._tables, settings.response_bytes, max(1, round(settings.attempt_timeout)))
            return self._engine, self._tables, self._rows

    def _understood(self, call: OutgoingRequest, error: exc.DBAPIError) -> Response:
        """Return what a server said against a statement as an answer; the transaction was rolled back."""
        if sql_errors.is_lost(error):
            lost = NetworkError(f"the connection was lost before the commit: {sql_errors.failure_of(error).message}")
            raise Again(lost) from error
        failure = sql_errors.failure_of(error)
        if sql_errors.is_wrong(error):
            message = f"the database lacks what the contract names: {failure.message}; see section sql of the contract"
            raise ConfigError(message, code=Reason.SQL_UNKNOWN) from None
        return _response(call, failure.status, failure.body())


class _Undone(Exception):
    """An error of a statement, on its way out of a transaction whose owner would say something else of it."""

    def __init__(self, error: exc.DBAPIError) -> None:
        self.error = error
        super().__init__(str(error))


class _Job:
    """A request on its way through its thread, which may be given up at any moment before its commit."""

    def __init__(self, call: OutgoingRequest) -> None:
        self.call = call
        self._lock = threading.Lock()
        self._abandoned = False
        self._link: Any = None

    def hold(self, connection: Connection) -> None:
        """Remember the connection, so that it can be cut."""
        with self._lock:
            if self._abandoned:
                raise DeadlineExceeded("the request was given up; nothing was done")
            self._link = connection.connection.dbapi_connection

    def let_go(self) -> None:
        """Forget the connection, which others will use."""
        with self._lock:
            self._link = None

    def begin_commit(self) -> None:
        """Note that the transaction is about to be committed, or raise what says that its time is over."""
        with self._lock:
            if self._abandoned:
                raise DeadlineExceeded("the request was given up before its commit; nothing was done")
            self.call.left()
            lease.writes()
            self.call.written = True

    def abandon(self) -> bool:
        """Let the transaction not be committed any more; return whether it is too late for that."""
        with self._lock:
            self._abandoned = True
            return self.call.written

    def cut(self) -> None:
        """Shut the socket of the connection down; the thread that waits on it sees its end."""
        with self._lock, suppress(Exception):
            if self._link is not None:
                own = getattr(self._link, "_sock", None)
                number = own.fileno() if own is not None else self._link.fileno()
                with socket.socket(fileno=os.dup(number)) as end:
                    end.shutdown(socket.SHUT_RDWR)


def _at_connect(error: exc.DBAPIError) -> Exception:
    raised = sql_errors.at_connect(error)
    return Again(raised) if isinstance(raised, NetworkError) else raised


def _in_doubt(error: exc.DBAPIError) -> AmbiguousOutcome:
    message = f"the connection was lost at the commit ({sql_errors.failure_of(error).message})"
    return AmbiguousOutcome(f"{message}; the request may have taken effect")


def _locks(connection: Connection, number: int) -> bool:
    return bool(connection.scalar(select(func.pg_try_advisory_xact_lock(number))))


def _response(call: OutgoingRequest, status: int, body: Mapping[str, Any]) -> Response:
    return Response(status, {}, orjson.dumps(body), call.url)


def _look_away(future: asyncio.Future[Any]) -> None:
    """Take note of how a request ended that nothing waits for any more."""
    if not future.cancelled():
        future.exception()
