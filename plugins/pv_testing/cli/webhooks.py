"""What ``python -m pv_testing webhooks`` and ``receive`` take and say."""

from __future__ import annotations

import argparse
import getpass
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pv_testing.cli.moments import moment
from pv_testing.core.errors import ConfigError
from pv_testing.core.reasons import Reason
from pv_testing.core.visible import visible

if TYPE_CHECKING:
    from pv_testing.ledger.endpoints import Endpoint
    from pv_testing.webhooks import WebhookManager

POLL = 2.0
AT_A_TIME = 5.0
"""Seconds after which no further deliveries are begun before the process looks whether it is asked to end."""
_REFERENCE = "where the secret is: connection:ID, env:NAME or file:NAME; without it, it is read from the input"
Say = Callable[[argparse.Namespace], int]


def add_commands(parser: argparse.ArgumentParser, with_ledger: Callable[..., argparse.ArgumentParser]) -> None:
    """Add what ``webhooks`` takes.

    Args:
        parser: of ``webhooks``.
        with_ledger: gives a parser the option ``--ledger``.
    """
    commands = parser.add_subparsers(required=True, metavar="ACTION", dest="action")

    def command(name: str, run: Say, text: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = with_ledger(commands.add_parser(name, help=text, description=text))
        added.set_defaults(run=run)
        return added

    command("list", _list, "list who is told of events, and what waits for them")
    register = command("register", _register, "have an address told of events")
    register.add_argument("url", metavar="URL")
    register.add_argument("events", nargs="+", metavar="EVENT", help="such as protocol.completed or 'invoice.*'")
    register.add_argument("--secret", metavar="REFERENCE", default="", help=_REFERENCE)
    rotate = command("rotate", _rotate, "give an endpoint another secret; for a while both are live")
    rotate.add_argument("endpoint", metavar="ENDPOINT")
    rotate.add_argument("--secret", metavar="REFERENCE", default="", help=_REFERENCE)
    rotate.add_argument("--overlap", metavar="HOURS", type=float, default=24.0, help="for how long (default 24)")
    for name, text in (
        ("pause", "tell an endpoint of nothing for now; what happens meanwhile waits for it"),
        ("resume", "tell an endpoint of events again that was paused or disabled"),
        ("remove", "forget an endpoint and what waits for it"),
    ):
        command(name, _changed, text).add_argument("endpoint", metavar="ENDPOINT", help="its id or address")
    replay = command("replay", _replay, "have events delivered once more under their ids")
    replay.add_argument("endpoint", metavar="ENDPOINT", help="its id or address")
    replay.add_argument("--since", metavar="TIME", default="", help="such as 2025-11-13T15:30:00Z")
    replay.add_argument("--until", metavar="TIME", default="", help="the same; up to now without it")
    replay.add_argument("--event", metavar="ID", default="", help="only this one")
    expect = command(
        "expect", _expect, "take the secret that a product hands over with its first request, such as Asana"
    )
    expect.add_argument("system", metavar="SYSTEM", help="such as pm")
    expect.add_argument("--minutes", metavar="N", type=float, default=10.0, help="for how long (default 10)")
    schemas = command("schemas", _schemas, "write the JSON Schema of each event, and an AsyncAPI document of all")
    schemas.add_argument("--output", metavar="FOLDER", default="include/schemas/events", help="(default %(default)s)")
    deliver = command("deliver", _deliver, "deliver what is due")
    deliver.add_argument("--stay", action="store_true", help="go on until the process is ended")


@contextmanager
def _manager(options: argparse.Namespace) -> Iterator[WebhookManager]:
    from pv_testing.config import configured_ledger_url
    from pv_testing.ledger import Ledger
    from pv_testing.webhooks import WebhookManager

    with Ledger(options.ledger or configured_ledger_url()) as ledger:
        yield WebhookManager(ledger)


def _list(options: argparse.Namespace) -> int:
    from pv_testing.ledger.outbox import DEAD, PENDING

    with _manager(options) as manager:
        counts = manager.ledger.outbox.counts()
        endpoints = manager.list()
        received = sorted(manager.ledger.inbox.counts().items())
    for each in endpoints:
        waiting, dead = (counts.get((each.id, state), 0) for state in (PENDING, DEAD))
        print(visible(f"{each.state.value:<9} {each.id}  {each.url}  {' '.join(each.events)}"))
        print(
            visible(f"          {waiting} wait, {dead} given up; {_secrets(each)}{each.reason and f'; {each.reason}'}")
        )
    print(f"{len(endpoints)} endpoints" if endpoints else "no endpoint is registered")
    for (source, state), number in received:
        print(visible(f"received from {source}: {number} {state}"))
    return 0


def _secrets(endpoint: Endpoint) -> str:
    named = [each.name + (f" until {moment(each.until)}" if each.until else "") for each in endpoint.secrets]
    return f"secret {', '.join(named)}"


def _register(options: argparse.Namespace) -> int:
    secret = options.secret or _typed()
    with _manager(options) as manager:
        endpoint = manager.register(options.url, options.events, secret)
    print(visible(f"{endpoint.id} is told of {', '.join(endpoint.events)}; its secret is {endpoint.secrets[0].name}"))
    return 0


def _rotate(options: argparse.Namespace) -> int:
    secret = options.secret or _typed()
    with _manager(options) as manager:
        endpoint = manager.rotate(options.endpoint, secret, overlap_hours=options.overlap)
    print(visible(f"{endpoint.id}: {_secrets(endpoint)}"))
    return 0


def _typed() -> str:
    """Return a secret from the terminal or the standard input; an argument would be seen by every process."""
    typed = getpass.getpass("secret: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not typed:
        raise ConfigError("no secret was given: name one with --secret, or type it", code=Reason.SECRET_MISSING)
    return typed


def _changed(options: argparse.Namespace) -> int:
    with _manager(options) as manager:
        endpoint = getattr(manager, options.action)(options.endpoint)
    print(visible(f"{endpoint.id}: {'removed' if options.action == 'remove' else endpoint.state.value}"))
    return 0


def _replay(options: argparse.Namespace) -> int:
    since, until = (_epoch(text) for text in (options.since, options.until))
    with _manager(options) as manager:
        number = manager.replay(options.endpoint, since=since, until=until, event_id=options.event)
    print(f"{number} events are delivered once more")
    return 0


def _deliver(options: argparse.Namespace) -> int:
    if options.stay:
        return _stay(options)
    with _manager(options) as manager:
        report = manager.deliver()
    print(visible(str(report), lines=True))
    return 1 if report.problems else 0


def _stay(options: argparse.Namespace) -> int:
    with _manager(options) as manager, _asked_to_end() as asked:
        while not asked:
            report = manager.deliver(AT_A_TIME)
            if report.problems:
                print(visible(str(report), lines=True), flush=True)
            if not asked and not report.delivered:
                time.sleep(POLL)
    return 0


@contextmanager
def _asked_to_end() -> Iterator[list[int]]:
    """Give a list that isn't empty once the process is asked to end: what is under way is settled before that.

    It is no ``threading.Event``, which a signal could find locked by the thread that it interrupts.
    """
    asked: list[int] = []
    before = {
        number: signal.signal(number, lambda given, _: asked.append(given))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _expect(options: argparse.Namespace) -> int:
    from pv_testing.webhooks.handshakes import expect

    with _manager(options) as manager:
        until = expect(manager.ledger, options.system, options.minutes)
    print(f"the next secret that {options.system} hands over is taken until {moment(until)}")
    return 0


def _schemas(options: argparse.Namespace) -> int:
    from pathlib import Path

    from pv_testing.webhooks.schemas import write

    print(f"{write(Path(options.output))} files in {options.output}")
    return 0


def add_receiver(parser: argparse.ArgumentParser) -> None:
    """Add what ``receive`` takes."""
    parser.set_defaults(run=_receive)
    parser.add_argument("--host", default="127.0.0.1", help="where it listens (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8600, help="its port (default 8600)")


def _receive(options: argparse.Namespace) -> int:
    from pv_testing.config import configured_ledger_url
    from pv_testing.webhooks.serving import serve

    serve(options.ledger or configured_ledger_url(), options.host, options.port)
    return 0


def _epoch(text: str) -> float:
    if not text:
        return 0.0
    try:
        written = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ConfigError(f"{text!r} is no time; write it like 2025-11-13T15:30:00Z") from None
    return (written if written.tzinfo else written.replace(tzinfo=timezone.utc)).timestamp()
