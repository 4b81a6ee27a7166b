"""``python -m sandbox``: run the systems, fill the laboratory, or print a summary of the databases."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sandbox import proxy, server, systems
from sandbox.judge import Judge, table
from sandbox.lab import Lab
from sandbox.seed import SeedPlan, is_empty, seed
from sandbox.settings import Credentials, Naive, Settings


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.set_defaults(action=_serve)
    _add_serve(parser)
    commands = parser.add_subparsers(title="commands; without one the servers are run")
    run = commands.add_parser("serve", help="run the servers until SIGINT or SIGTERM")
    _add_serve(run)
    run.set_defaults(action=_serve)
    fill = commands.add_parser("seed", help="add a laboratory to the framework's database")
    _add_data(fill)
    _add_plan(fill)
    fill.set_defaults(action=_seed)
    show = commands.add_parser("table", help="print a summary of the systems' own databases")
    _add_data(show)
    show.add_argument("--json", action="store_true", help="one JSON line instead of a table")
    show.set_defaults(action=_table)
    faulty = commands.add_parser("proxy", help="run a fault proxy in front of any HTTP server")
    faulty.add_argument("--upstream", required=True, help="address of the server behind it")
    faulty.add_argument("--port", type=int, default=0, help="0 for any free one")
    faulty.add_argument("--sandbox-key", default="", help="for its control endpoints; made at random when not given")
    faulty.set_defaults(action=_proxy)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=Path(".run/sandbox"), help="directory of the databases")


def _add_serve(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    for system in systems.SYSTEMS:
        parser.add_argument(f"--{system}-port", type=int, default=0, help="0 for any free one")
    parser.add_argument("--token-lifetime", type=float, default=3600.0, help="seconds for which a token is valid")
    parser.add_argument("--idempotency", action="store_true", help="let the LIMS honour Idempotency-Key")
    parser.add_argument("--rate-limit", type=int, default=1_000_000, help="framework requests an hour; 0 for no limit")
    parser.add_argument("--naive", action="store_true", help="run a LIMS that checks nothing twice")
    parser.add_argument("--lag", type=float, default=0.0, help="seconds until its look-ups see a new record")
    parser.add_argument("--cache", type=float, default=0.0, help="seconds of a shared cache in front of it")
    parser.add_argument("--seed-on-start", action="store_true", help="seed the framework when it is empty")
    _add_plan(parser)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--requests", type=int, default=1, help="service requests")
    parser.add_argument("--modules", type=int, default=12, help="modules of each")
    parser.add_argument("--protocols", type=int, default=12, help="protocols of each")
    parser.add_argument("--failures", type=float, default=0.07, help="share of executions that fail")
    parser.add_argument("--weak", default="", help="a protocol that more than half of the modules fail besides")
    parser.add_argument("--seed", type=int, default=1, help="of all random numbers")
    parser.add_argument("--state", choices=("new", "complete"), default="new", help="whether the tests are done")
    parser.add_argument("--messy", action="store_true", help="add requests with bad data")


def _plan(options: argparse.Namespace) -> SeedPlan:
    names = ("requests", "modules", "protocols", "failures", "weak", "seed", "state", "messy")
    return SeedPlan(**{name: getattr(options, name) for name in names})


def _serve(options: argparse.Namespace) -> int:
    ports = [f"{system}_port" for system in systems.SYSTEMS]
    names = ("data", *ports, "token_lifetime", "idempotency", "rate_limit")
    naive = Naive(options.lag, options.cache) if options.naive else None
    settings = Settings(**{name: getattr(options, name) for name in names}, naive=naive)
    credentials = Credentials.kept(settings.data)
    if options.seed_on_start and is_empty(settings.database("framework")):
        seed(settings.database("framework"), _plan(options))
    return _run(
        lambda: systems.every(settings, credentials),
        lambda running: Lab(settings, credentials, running.ports).announcement(),
    )


def _run(parts: Callable[[], Sequence[server.Part]], announcement: Callable[[server.Running], dict[str, Any]]) -> int:
    try:
        server.run_loop(_until_signal(parts, announcement))
    except OSError as error:
        _say(f"The sandbox can't start: {error.strerror or error}; choose other ports or 0 for free ones", sys.stderr)
        return 1
    return 0


async def _until_signal(
    parts: Callable[[], Sequence[server.Part]], announcement: Callable[[server.Running], dict[str, Any]]
) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)

    def started(running: server.Running) -> None:
        _say(json.dumps({**announcement(running), "pid": os.getpid()}))

    await server.serve_forever(parts(), started, stopping)


def _proxy(options: argparse.Namespace) -> int:
    key = options.sandbox_key or secrets.token_urlsafe(18)
    with tempfile.TemporaryDirectory(prefix="proxy-") as temporary:
        database = Path(temporary) / "proxy.sqlite"
        return _run(
            lambda: [proxy.part(options.upstream, database, key, options.port)],
            lambda running: {"proxy_url": f"http://{server.HOST}:{running.ports['proxy']}", "sandbox_key": key},
        )


def _seed(options: argparse.Namespace) -> int:
    added = seed(Settings(options.data).database("framework"), _plan(options))
    _say("added " + ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in added.items()))
    return 0


def _table(options: argparse.Namespace) -> int:
    settings = Settings(options.data)
    if not all(settings.database(system).exists() for system in systems.SYSTEMS):
        _say(f"There is no sandbox in {options.data}", sys.stderr)
        return 1
    rows = Judge(settings).summary()
    _say(json.dumps(rows) if options.json else table(rows))
    return 0


def _say(text: str, stream: Any = None) -> None:
    print(text, file=stream or sys.stdout, flush=True)


def main() -> int:
    """Run the command line and return the exit status."""
    options = _arguments().parse_args()
    status: int = options.action(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
