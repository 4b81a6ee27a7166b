"""Prints what a request costs through our session beside bare aiohttp: ``python -m tests.bench.transport``."""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import time
from collections.abc import Awaitable, Callable

import aiohttp
import orjson

from pv_testing.transports.auth import api_key
from pv_testing.transports.rest import RestSession, RestSettings
from tests.bench import server
from tests.bench.timing import Timing, median

HEADERS = {"X-API-Key": "bench-key"}
SIZE = 280
Send = Callable[[], Awaitable[str]]


def sample() -> dict[str, str]:
    """Return a sample whose JSON has 280 bytes."""
    said = {"external_id": "AST2025M000001", "project_id": "SR-2025-0001", "sample_type": "PV Module", "notes": ""}
    return {**said, "notes": "x" * (SIZE - len(orjson.dumps(said)))}


def main() -> int:
    """Measure both in turn and return 0 when our session reaches 0.8 of bare aiohttp."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5_000, help="how many a round (default 5,000)")
    parser.add_argument("--concurrency", type=int, default=16, help="how many at a time (default 16)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the median counts (default 5)")
    parser.add_argument("--profile", action="store_true", help="show where our session spends its time")
    asked = parser.parse_args()
    ways = {"bare aiohttp": bare, "RestSession": ours}
    timings: dict[str, list[Timing]] = {name: [] for name in ways}
    with server.running() as address:
        if asked.profile:
            profile = cProfile.Profile()
            profile.runcall(asyncio.run, ours(address, asked.requests, asked.concurrency))
            profile.print_stats("tottime")
            return 0
        for _ in range(asked.rounds):
            for name, way in ways.items():
                timings[name].append(asyncio.run(way(address, asked.requests, asked.concurrency)))
    reference = median(timings["bare aiohttp"])
    print(f"{'single POSTs of 280 bytes':<28}{'requests/s':>12}{'CPU µs/request':>16}{'of bare':>9}")
    for name in ways:
        found = median(timings[name])
        print(f"{name:<28}{found.rate:>12,.0f}{found.microseconds:>16,.0f}{found.rate / reference.rate:>9.2f}")
    return 0 if median(timings["RestSession"]).rate >= 0.8 * reference.rate else 1


async def bare(address: str, number: int, concurrency: int) -> Timing:
    """Send JSON with a bare aiohttp session and read the id."""
    body = sample()
    headers = {**HEADERS, "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def send() -> str:
            async with session.post(f"{address}/samples", data=orjson.dumps(body)) as response:
                return str(orjson.loads(await response.read())["id"])

        return await _measured(send, number, concurrency)


async def ours(address: str, number: int, concurrency: int) -> Timing:
    """Send the same with our session."""
    body = sample()
    settings = RestSettings(address, system="lims", provider="bench", concurrency=concurrency)
    async with RestSession(settings, api_key("bench-key")) as session:

        async def send() -> str:
            response = await session.request("POST", "/samples", json=body, operation="create_sample", key="SR/1")
            return str(response.json()["id"])

        return await _measured(send, number, concurrency)


async def _measured(send: Send, number: int, concurrency: int) -> Timing:
    """Time a number of requests, after some that open the connections."""
    await _spread(send, 5 * concurrency, concurrency)
    wall, cpu = time.perf_counter(), time.process_time()
    await _spread(send, number, concurrency)
    return Timing(number, time.perf_counter() - wall, time.process_time() - cpu)


async def _spread(send: Send, number: int, concurrency: int) -> None:
    left = iter(range(number))

    async def work() -> None:
        for _ in left:
            await send()

    await asyncio.gather(*(work() for _ in range(concurrency)))


if __name__ == "__main__":
    raise SystemExit(main())
