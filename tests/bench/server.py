"""A LIMS that does next to nothing, in a process of its own, so that a benchmark measures the client.

It answers ``POST /samples`` and ``POST /samples/bulk`` of the contract ``lims_custom`` and prints its port.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httptools
import orjson
import uvloop

PROJECT = Path(__file__).parents[2]
_numbers = itertools.count(1)


class _Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path, self._body = url, []

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        received = orjson.loads(b"".join(self._body))
        if self._path.endswith(b"/bulk"):
            status, answer = b"200 OK", {"results": [{"status": 201, **_created(each)} for each in received["samples"]]}
        else:
            status, answer = (
                b"201 Created",
                {"id": f"LIM-{next(_numbers):08}", "external_id": received.get("external_id")},
            )
        body = orjson.dumps(answer)
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self._transport.write(head + body)


def _created(sample: dict[str, Any]) -> dict[str, Any]:
    """Return the answer for a sample: its id, and the key by which the client knows whose it is."""
    key = {name: sample[name] for name in ("project_id", "external_id")}
    return {"id": f"LIM-{next(_numbers):08}", **key}


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Run the server and give its address."""
    command = [sys.executable, "-m", "tests.bench.server"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve())
