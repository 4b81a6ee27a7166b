"""What webhooks cost: the look for endpoints within a settlement, an event that is told, deliveries, received events.

Run it with ``python -m tests.bench.webhooks``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Ledger, Settlement, outbox
from pv_testing.webhooks import WebhookManager
from pv_testing.webhooks.addresses import Guard
from pv_testing.webhooks.secrets import Secrets
from pv_testing.webhooks.settings import WebhookSettings
from tests.bench import server
from tests.chaos.webhook_storm import TARGET_SECONDS, WebhookStorm

SECRET = "whsec_" + "a" * 32
ROUNDS = 200


@dataclass(frozen=True)
class Cost:
    """What a settlement costs.

    Attributes:
        settlement: seconds of one of a single record, without an endpoint.
        look: seconds of the look for endpoints in it.
        told: seconds of one of a single record that an endpoint is told of.
    """

    settlement: float
    look: float
    told: float


def settling(folder: Path) -> Cost:
    """Measure settlements of single records on SQLite, the shortest transactions that there are."""
    with Ledger(f"sqlite:///{folder / 'settling.sqlite'}") as ledger:
        silent = _median(lambda number: _settle(ledger, f"silent-{number}"))
        with ledger._store.writing() as writing:
            look = _median(lambda _: _timed(lambda: outbox._has_listeners(writing.connection)))
        _manager(ledger, folder).register("http://127.0.0.1:9/", ["*"], SECRET)
        told = _median(lambda number: _settle(ledger, f"told-{number}"))
    return Cost(silent, look, told)


def delivering(folder: Path, number: int) -> float:
    """Return deliveries a second to one endpoint in a process of its own, events of 50 subjects."""
    with server.running() as address, Ledger(f"sqlite:///{folder / 'delivering.sqlite'}") as ledger:
        manager = _manager(ledger, folder)
        manager.register(f"{address}/samples", ["sample.created"], SECRET)
        for place in range(0, number, 500):
            _settle(ledger, *(f"K{n}" for n in range(place, min(place + 500, number))))
        began = time.perf_counter()
        delivered = 0
        while delivered < number:
            report = manager.deliver()
            if report.failed or report.problems:
                raise RuntimeError(str(report))
            delivered += report.delivered
        return number / (time.perf_counter() - began)


def receiving(folder: Path, number: int) -> tuple[float, float]:
    """Return received events a second from eight senders, each waiting for its answer, and the 99th of 100 waits."""
    storm = WebhookStorm(f"sqlite:///{folder / 'receiving.sqlite'}", folder, events=number, kills=0)
    verdict = storm.run()
    if not verdict.holds:
        raise RuntimeError("; ".join(verdict.lines()))
    return verdict.sent / verdict.seconds, verdict.p99


def _manager(ledger: Ledger, folder: Path) -> WebhookManager:
    settings = WebhookSettings(guard=Guard.of(["127.0.0.0/8"], allow_http=True))
    return WebhookManager(ledger, settings=settings, secrets=Secrets(folder / "secrets.json"), owner="bench")


def _settle(ledger: Ledger, *keys: str) -> float:
    claimed = ledger.claim("lims", "sample", [Claim(key, "f" * 64) for key in keys], owner="bench", lease=300)
    settlements = [
        Settlement(one, Result.CREATED, one.key, facts={"sr_number": f"SR-{hash(one.key) % 50}"}) for one in claimed
    ]
    return _timed(lambda: ledger.settle(settlements, owner="bench"))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _median(measure: Callable[[int], float]) -> float:
    return sorted(measure(number) for number in range(ROUNDS))[ROUNDS // 2]


def measure(events: int) -> list[tuple[str, str, bool]]:
    """Measure everything, print it, and return which targets are reached."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cost, delivered = settling(folder), delivering(folder, events)
        received, p99 = receiving(folder, events)
    print(f"\n{'webhooks, ledger on SQLite':<64}{'':>10}")
    for what, value in (
        ("µs of a settlement of one record, no endpoint", f"{cost.settlement * 1e6:,.0f}"),
        ("µs of it for the look whether there is an endpoint", f"{cost.look * 1e6:,.1f}"),
        ("µs of a settlement that an endpoint is told of", f"{cost.told * 1e6:,.0f}"),
        ("deliveries a second to one endpoint", f"{delivered:,.0f}"),
        ("received events a second from 8 senders", f"{received:,.0f}"),
        ("ms to the acknowledgement, 99 of 100", f"{p99 * 1e3:,.0f}"),
    ):
        print(f"  {what:<62}{value:>10}")
    share = cost.look / cost.settlement
    return [
        ("the look for endpoints, at most 0.03 of the shortest settlement", f"{share:.3f}", share <= 0.03),
        ("acknowledged within 50 ms in 99 of 100 cases", f"{p99 * 1e3:.0f} ms", p99 <= TARGET_SECONDS),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=3_000, help="events sent and received (default 3,000)")
    for name, value, reached in measure(parser.parse_args().events):
        print(f"  {'reached' if reached else 'MISSED ':8} {name:<72}{value}")


if __name__ == "__main__":
    main()
