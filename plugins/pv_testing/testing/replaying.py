"""Holds a contract against a recorded exchange: a file of requests that it must send and answers that it must read."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pv_testing.config import system_config
from pv_testing.contracts import load_contract
from pv_testing.core.errors import ConfigError, IntegrationError
from pv_testing.core.fingerprint import fingerprint
from pv_testing.core.records import Prepared, Record, Verdict
from pv_testing.core.sync import run
from pv_testing.core.yaml_file import read_bounded
from pv_testing.integrations import connect
from pv_testing.ledger import Ledger
from pv_testing.providers.rest import RestProvider

Scene = dict[str, Any]


def replayed(contract: str | Path, exchange: str | Path) -> list[str]:
    """Play a recorded exchange and return the differences; an empty list when all is well.

    A scene is one record: ``operation``, ``key``, ``record`` (in our words), ``request`` and ``answer``, ``id`` (which
    the contract must read from the answer), and ``look_up`` with a ``request`` and an ``answer`` of its own.

    Args:
        contract: its name or file.
        exchange: a JSON file with a list of scenes.

    Raises:
        ConfigError: the contract or the file can't be used.
    """
    scenes = _scenes(Path(exchange))
    with _serve() as stage:
        return run(_play(str(contract), scenes, stage))


def recorded(contract: str | Path, scenes: list[Scene]) -> list[Scene]:
    """Return scenes with the requests that the contract sends, where they have none yet.

    Args:
        contract: its name or file.
        scenes: without ``request``, also in ``look_up``.

    Raises:
        ConfigError: the contract can't be used, or doesn't read the answers.
    """
    with _serve() as stage:
        problems = run(_play(str(contract), scenes, stage))
    if problems:
        raise ConfigError(f"{contract} can't be recorded: {'; '.join(problems)}")
    return scenes


def _scenes(path: Path) -> list[Scene]:
    try:
        scenes = json.loads(read_bounded(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: isn't a recorded exchange: {error}") from None
    if not isinstance(scenes, list) or not all(isinstance(scene, dict) and "operation" in scene for scene in scenes):
        raise ConfigError(f"{path}: isn't a recorded exchange: must be a list of scenes with an operation")
    return scenes


async def _play(contract: str, scenes: list[Scene], stage: _Stage) -> list[str]:
    system = load_contract(contract).system
    config = system_config(system, stage.url, contract=contract, auth_type="none")
    problems: list[str] = []
    with Ledger.in_memory(quiet=True) as ledger:
        async with connect(config, ledger=ledger) as client:
            provider = await client.provider()
            for scene in scenes:
                try:
                    problems += await _scene(provider, scene, stage)
                except IntegrationError as error:
                    problems.append(f"{scene['operation']}: {error}")
    return problems


async def _scene(provider: RestProvider, scene: Scene, stage: _Stage) -> list[str]:
    operation = provider.operation(scene["operation"])
    record = Record(scene["key"], scene["record"])
    payload = operation.prepare(record)
    item = Prepared(record.key, payload, fingerprint(payload), data=record.data)
    stage.set(scene, scene["operation"])
    (reply,) = await operation.send([item])
    problems = stage.problems()
    if reply.verdict is not Verdict.OK or reply.external_id != scene.get("id", ""):
        problems.append(f"{scene['operation']}: read {reply.verdict.value} and id {reply.external_id!r}")
    if "look_up" in scene:
        item.external_id = reply.external_id
        stage.set(scene["look_up"], f"{scene['operation']} (look-up)")
        match = (await operation.find([item]) or {}).get(item.key)
        problems += stage.problems()
        if match is None or not match.in_effect or match.external_id != scene.get("id", ""):
            problems.append(f"{scene['operation']} (look-up): the record isn't found in the recorded answer: {match}")
    return problems


class _Stage(ThreadingHTTPServer):
    """Answers every request with the recorded answer, and holds it against the recorded request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._scene: Scene = {}
        self._named = ""
        self._problems: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def set(self, scene: Scene, named: str) -> None:
        """Expect the request of a scene; ``named`` begins the scene's problems."""
        self._scene, self._named, self._problems = scene, named, []

    def problems(self) -> list[str]:
        """Return the problems of the requests since the scene was set."""
        return list(self._problems)

    def answer(self, method: str, address: str, body: Any) -> tuple[int, bytes]:
        """Compare a request with the recorded one and return the recorded answer."""
        sent = {"method": method, "path": address, **({} if body is None else {"body": body})}
        wanted = self._scene.setdefault("request", sent)
        for name in sorted({*wanted, *sent}):
            if wanted.get(name) != sent.get(name):
                message = f"sends {name} {sent.get(name)!r}, recorded is {wanted.get(name)!r}"
                self._problems.append(f"{self._named}: {message}")
        answer = self._scene["answer"]
        return int(answer["status"]), json.dumps(answer.get("body")).encode()


class _Handler(BaseHTTPRequestHandler):
    server: _Stage
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        parts = urlsplit(self.path)
        address = f"{parts.path}?{parts.query}" if parts.query else parts.path
        status, content = self.server.answer(self.command, address, body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _serve() -> Iterator[_Stage]:
    with _Stage() as stage:
        thread = threading.Thread(target=stage.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield stage
        finally:
            stage.shutdown()
            thread.join()
