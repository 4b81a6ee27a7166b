"""A system that answers each request at once and writes down when it came, in a process of its own.

It prints its port, then, for each line that it is sent, the times of the requests since then as a JSON list of epoch
seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
import time

import httptools

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_came: list[float] = []


class _Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        _came.append(time.time())
        self._transport.write(ANSWER)


def _tell() -> None:
    for _ in sys.stdin:
        times, _came[:] = list(_came), []
        print(json.dumps(times), flush=True)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    threading.Thread(target=_tell, daemon=True).start()
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(OSError, AttributeError):  # a system doesn't wait for the processor of its clients
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(2))
    asyncio.run(_serve())
