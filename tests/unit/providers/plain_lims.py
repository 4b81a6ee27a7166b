"""A LIMS with a plain REST API on a real socket, whose habits a test sets, and a client that speaks with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from pv_testing.core.places import contract_path
from pv_testing.core.records import Record
from pv_testing.exchange.report import Report
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from tests import yaml_text

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Body = dict[str, Any]
SHORT = {"attempt_timeout": 2, "total_timeout": 4, "horizon": 0.05}


class PlainLims:
    """Keeps samples; it takes the same one twice.

    Attributes:
        samples: in the order in which they came.
        seen: method and path of each request.
        create: answers to a creation, instead of the usual answer.
        search: answers to a look-up, instead of the usual answer.
        change: answers to a change, instead of the usual answer.
    """

    def __init__(self) -> None:
        self.samples: list[Body] = []
        self.seen: list[str] = []
        self.create: Handler | None = None
        self.search: Handler | None = None
        self.change: Handler | None = None

    def add(self, body: Body) -> Body:
        sample = {**body, "id": f"S{len(self.samples) + 1}"}
        self.samples.append(sample)
        return sample

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**27)
        app.router.add_post("/samples", self._create)
        app.router.add_put("/samples", self._create)
        app.router.add_post("/samples/search", self._search)
        app.router.add_patch("/samples/{id}", self._change)
        app.router.add_get("/samples", self._search)
        app.router.add_post("/oauth/token", self._token)
        return app

    async def _token(self, _: web.Request) -> web.Response:
        return web.json_response({"access_token": "canary-token", "expires_in": 60})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(f"{request.method} /samples")
        if self.create is not None:
            return await self.create(request)
        return web.json_response(self.add(await request.json()), status=201)

    async def _search(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.path}")
        if self.search is not None:
            return await self.search(request)
        return web.json_response({"data": self.matching(await request.json())})

    def matching(self, body: Body) -> list[Body]:
        keys = {(key["project_id"], key["external_id"]) for key in body["keys"]}
        return [sample for sample in self.samples if (sample["project_id"], sample["external_id"]) in keys]

    async def _change(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(f"PATCH {request.path}")
        if self.change is not None:
            return await self.change(request)
        return web.json_response(await self.changed(request))

    async def changed(self, request: web.Request) -> Body:
        (sample,) = (sample for sample in self.samples if sample["id"] == request.match_info["id"])
        sample.update(await request.json())
        return sample

    async def loses_the_first_answer(self, request: web.Request) -> web.StreamResponse:
        """Create, and break off instead of the first answer."""
        sample = self.add(await request.json())
        return hangs_up(request) if len(self.samples) == 1 else web.json_response(sample, status=201)


def hangs_up(request: web.Request) -> web.StreamResponse:
    """Close the connection instead of an answer."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


def contract(folder: Path, change: Callable[[Body], object] = lambda _: None, **limits: float) -> Path:
    """Write the shipped contract of a plain LIMS without bulk requests, with short times and what a test changes."""
    content = yaml_text.read(contract_path("lims_custom"))
    content["limits"].update({**SHORT, **limits})
    del content["operations"]["create_sample"]["bulk"]
    change(content)
    path = folder / "lims_plain.yaml"
    path.write_text(yaml_text.dump(content, sort_keys=False), encoding="utf-8")
    return path


def sample(**module: Any) -> Record:
    """Return a sample's record."""
    known = {"serial_number": "A", "sr_number": "P", "customer_name": "C"}
    return Record("P/A", {**known, "module": module} if module else known)


def exchange(
    lims: PlainLims,
    path: Path,
    *records: Record | list[Record],
    ledger: Ledger | None = None,
    replay: bool = False,
    **client: Any,
) -> Report:
    """Run ``create_sample`` over one version of a record after the other, or over many; return the last report."""

    async def run() -> Report:
        async with TestServer(lims.app()) as server:
            speaker = LIMSClient(
                str(server.make_url("")),
                **{
                    "api_key": "a-key-of-tests",
                    "contract": str(path),
                    "ledger": ledger or Ledger.in_memory(),
                    **client,
                },
            )
            try:
                for record in records:
                    many = record if isinstance(record, list) else [record]
                    report = await speaker.aexchange("create_sample", many, replay=replay)
                return report
            finally:
                await (await speaker.provider()).aclose()

    return asyncio.run(run())
