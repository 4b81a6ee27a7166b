"""Prints what a request costs through our session beside bare aiohttp: ``python -m tests.bench.transport``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import cProfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import orjson

from pv_testing.transports.auth import api_key
from pv_testing.transports.rest import RestSession, RestSettings
from tests.bench import server
from tests.bench.timing import Timing

SIZE = 280
TARGET = 0.8
Send = Callable[[], Awaitable[str]]


def sample() -> dict[str, str]:
    """Return a sample whose JSON has 280 bytes."""
    sample = {"external_id": "AST2025M000001", "project_id": "SR-2025-0001", "sample_type": "PV Module", "notes": ""}
    return {**sample, "notes": "x" * (SIZE - len(orjson.dumps(sample)))}


@contextlib.asynccontextmanager
async def bare(address: str, _: int) -> AsyncIterator[Send]:
    """Send JSON with a bare aiohttp session and read the id."""
    body = sample()
    headers = {"X-API-Key": "bench-key", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def send() -> str:
            async with session.post(f"{address}/samples", data=orjson.dumps(body)) as response:
                return str(orjson.loads(await response.read())["id"])

        yield send


@contextlib.asynccontextmanager
async def ours(address: str, concurrency: int) -> AsyncIterator[Send]:
    """Send the same with our session."""
    body = sample()
    settings = RestSettings(address, system="lims", provider="bench", concurrency=concurrency)
    async with RestSession(settings, api_key("bench-key")) as session:

        async def send() -> str:
            response = await session.request("POST", "/samples", json=body, operation="create_sample", key="SR/1")
            return str(response.json()["id"])

        yield send


async def compare(address: str, number: int, concurrency: int, rounds: int) -> list[tuple[Timing, Timing]]:
    """Measure both in turn, so that whatever else the machine does disturbs both alike.

    Args:
        address: of the server.
        number: requests of each in all rounds together.
        concurrency: requests at a time.
        rounds: how often the two take turns.

    Returns:
        The timings of bare aiohttp and of our session, a pair for each round.
    """
    async with bare(address, concurrency) as theirs, ours(address, concurrency) as mine:
        for send in (theirs, mine):
            await measured(send, 10 * concurrency, concurrency)
        return [
            (
                await measured(theirs, number // rounds, concurrency),
                await measured(mine, number // rounds, concurrency),
            )
            for _ in range(rounds)
        ]


async def measured(send: Send, number: int, concurrency: int) -> Timing:
    """Send a number of requests, some at a time, and say what they cost."""
    left = iter(range(number))

    async def work() -> None:
        for _ in left:
            await send()

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    return Timing(number, time.perf_counter() - wall, time.process_time() - cpu)


async def profiled(address: str, number: int, concurrency: int) -> None:
    """Show where our session spends its time."""
    async with ours(address, concurrency) as send:
        profile = cProfile.Profile()
        profile.enable()
        await measured(send, number, concurrency)
        profile.disable()
    profile.print_stats("tottime")


def main() -> int:
    """Measure and return 0 when our session reaches 0.8 of bare aiohttp."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="how many of each (default 20,000)")
    parser.add_argument("--concurrency", type=int, default=16, help="how many at a time (default 16)")
    parser.add_argument("--rounds", type=int, default=20, help="how often the two take turns (default 20)")
    parser.add_argument("--profile", action="store_true", help="show where our session spends its time instead")
    asked = parser.parse_args()
    with server.running() as address:
        if asked.profile:
            asyncio.run(profiled(address, asked.requests, asked.concurrency))
            return 0
        pairs = asyncio.run(compare(address, asked.requests, asked.concurrency, asked.rounds))
    print(f"{'single POSTs of 280 bytes':<28}{'requests/s':>12}{'CPU µs/request':>16}")
    for name, timings in zip(("bare aiohttp", "RestSession"), zip(*pairs, strict=True), strict=True):
        whole = Timing(sum(t.records for t in timings), sum(t.seconds for t in timings), sum(t.cpu for t in timings))
        print(f"  {name:<26}{whole.rate:>12,.0f}{whole.microseconds:>16,.0f}")
    ratios = sorted(mine.rate / theirs.rate for theirs, mine in pairs)
    ratio = ratios[len(ratios) // 2]
    print(f"  of bare aiohttp, median of {len(pairs)} rounds: {ratio:.2f} (target {TARGET})")
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
