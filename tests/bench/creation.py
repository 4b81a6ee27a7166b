"""Creating samples in every way that a project might: ours, a bare client, the guide's loop."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import requests

from pv_testing.core.heap import freeze_once
from pv_testing.core.records import Record
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from tests.bench.timing import Timing, timed

CONCURRENCY = 8


def records(number: int, first: int = 0) -> list[Record]:
    """Return samples as the workflow carries them, before mapping; their serial numbers begin with ``first``."""
    module = {"manufacturer": "AST", "model": "AST-M400", "type": "mono PERC", "power_rating": 400, "voltage": 49.5}
    return [
        Record(
            f"SR-2025-{place // 25:04}/AST2025M{place:06}",
            {
                **module,
                "sr_number": f"SR-2025-{place // 25:04}",
                "serial_number": f"AST2025M{place:06}",
                "customer_name": "Solar Corporation",
                "customer": {"name": "Solar Corporation"},
                "module": module,
            },
        )
        for place in range(first, first + number)
    ]


def payloads(number: int) -> list[bytes]:
    """Return the same samples as ready-made JSON, for clients that map, check and remember nothing."""
    return [
        orjson.dumps(
            {
                "external_id": record.data["serial_number"],
                "project_id": record.data["sr_number"],
                "sample_type": "PV Module",
                "customer": record.data["customer_name"],
                "metadata": record.data["module"],
            }
        )
        for record in records(number)
    ]


def ours(address: str, number: int, *, bulk: bool) -> tuple[Timing, Timing]:
    """Create samples through the exchange engine and a ledger on disk, then once more with nothing changed.

    Args:
        address: of the LIMS.
        number: how many.
        bulk: 500 samples a request, or one.
    """
    contract = "lims_custom" if bulk else str(single_contract())
    with _client(address, contract) as lims:
        wanted = records(number)
        lims.exchange("create_sample", wanted[:1])
        created = timed(number, lambda: lims.exchange("create_sample", wanted).raise_for_waiting())
        unchanged = timed(number, lambda: lims.exchange("create_sample", wanted).raise_for_waiting())
    return created, unchanged


@contextmanager
def _client(address: str, contract: str) -> Iterator[LIMSClient]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Ledger(f"sqlite:///{Path(folder) / 'ledger.sqlite'}") as ledger,
        LIMSClient(address, api_key="bench-key", contract=contract, ledger=ledger, owner="bench") as lims,
    ):
        freeze_once()  # as a task does
        yield lims


def single_contract() -> Path:
    """The generic contract without its bulk endpoint."""
    import yaml

    project = Path(__file__).parents[2]
    contract = yaml.safe_load((project / "include/mappings/lims_custom.yaml").read_text(encoding="utf-8"))
    del contract["operations"]["create_sample"]["bulk"]
    path = Path(tempfile.gettempdir()) / "pv_bench_lims_single.yaml"
    path.write_text(yaml.safe_dump(contract, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def bare_aiohttp(
    address: str, number: int, run: Callable[[Coroutine[Any, Any, list[str]]], object] = asyncio.run
) -> Timing:
    """Send ready-made JSON with aiohttp, a few requests at a time, and read the id: no mapping, ledger or audit."""
    return timed(number, lambda: run(_bare(address, payloads(number))))


async def _bare(address: str, bodies: list[bytes]) -> list[str]:
    async with _session() as session:
        return await _posted(session, address, bodies)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers={"Content-Type": "application/json", "X-API-Key": "bench-key"})


async def _posted(session: aiohttp.ClientSession, address: str, bodies: list[bytes]) -> list[str]:
    left = iter(bodies)
    ids: list[str] = []

    async def work() -> None:
        for body in left:
            async with session.post(f"{address}/samples", data=body) as response:
                ids.append(orjson.loads(await response.read())["id"])

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return ids


def by_turns(address: str, number: int, turns: int) -> list[tuple[Timing, Timing]]:
    """Create samples one by one through the engine and with bare aiohttp, by turns; return what each turn took.

    A machine's speed may change within a second. Therefore a turn of the engine comes between two halves of one of the
    bare client. Both keep their connections.

    Args:
        address: of the LIMS.
        number: how many samples in one turn, of each.
        turns: how many turns.
    """
    loop = asyncio.new_event_loop()

    async def session() -> aiohttp.ClientSession:
        return _session()

    bare, bodies = loop.run_until_complete(session()), payloads(number // 2)
    results: list[tuple[Timing, Timing]] = []
    try:
        with _client(address, str(single_contract())) as lims:

            def ours(turn: int) -> Timing:
                part = records(number, turn * number + 1)
                return timed(number, lambda: lims.exchange("create_sample", part).raise_for_waiting())

            def half() -> Timing:
                return timed(len(bodies), lambda: loop.run_until_complete(_posted(bare, address, bodies)))

            lims.exchange("create_sample", records(1))
            half()
            for turn in range(turns):
                results.append(_turn(half(), ours(turn), half()))
    finally:
        loop.run_until_complete(bare.close())
        loop.close()
    return results


def _turn(before: Timing, engine: Timing, after: Timing) -> tuple[Timing, Timing]:
    bare = Timing(before.records + after.records, before.seconds + after.seconds, before.cpu + after.cpu)
    return engine, bare


def guide_requests(address: str, number: int) -> Timing:
    """Send one sample after another with a requests session, as the guide's loop does."""

    def loop() -> None:
        with requests.Session() as session:
            session.headers.update({"Content-Type": "application/json", "X-API-Key": "bench-key"})
            for body in payloads(number):
                session.post(f"{address}/samples", data=body, timeout=30).json()["id"]

    return timed(number, loop)
