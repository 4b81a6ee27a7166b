"""A limit of our own for a database server that takes a request and never answers it.

TCP notices a machine that is gone. It doesn't notice a server that is frozen while its machine still acknowledges, and
that server keeps no time limit of its own either. Without a limit here, such a call and its process would never end.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing_extensions import Self


class DriverConnection(Protocol):
    """A driver's connection."""

    @property
    def closed(self) -> bool:
        """Whether it has no socket any more."""

    def fileno(self) -> int:
        """Return its socket."""


class ServerWatch:
    """Cuts a connection when its server has not answered for too long; a context manager around the requests.

    The driver itself is left alone, as another thread waits in it; it sees the end of its connection, and raises.

    Args:
        link: the connection.
        seconds: how long an answer may take.

    Attributes:
        cut: whether the connection was cut.
    """

    def __init__(self, link: DriverConnection, seconds: float) -> None:
        self._link = link
        self._seconds = seconds
        self._latest = 0.0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.cut = False

    def __enter__(self) -> Self:
        self.ask()
        threading.Thread(target=self._run, name="pv-testing-ledger-watch", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:  # never while the socket is being cut: its number may be another's from here on
            self._over.set()

    def ask(self) -> None:
        """Count from now on; to be called before each request."""
        self._latest = time.monotonic() + self._seconds

    def _run(self) -> None:
        while not self._over.wait(self._latest - time.monotonic()):
            if time.monotonic() >= self._latest:
                self._cut()
                return

    def _cut(self) -> None:
        with self._lock, suppress(Exception):  # the driver's word that there is no socket any more
            if not self._over.is_set() and not self._link.closed:
                self.cut = True
                with socket.socket(fileno=os.dup(self._link.fileno())) as end:
                    end.shutdown(socket.SHUT_RDWR)
