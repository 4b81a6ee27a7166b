"""The routes and dependencies that the REST APIs of the systems share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from sandbox.auth import Principal, require
from sandbox.bulk import BusinessKeys, Many, each
from sandbox.problems import reply
from sandbox.register import Register

Item = TypeVar("Item", bound=BaseModel)
Anyone = Annotated[Principal, Depends(require())]


async def records_of(request: Request) -> Any:
    """Return the records of the system that serves this request."""
    return request.app.state.records


_Records = Annotated[Any, Depends(records_of)]


def api_router(prefix: str) -> APIRouter:
    """Return a router that tells callers under ``/me`` who they are."""
    router = APIRouter(prefix=prefix)
    router.add_api_route("/me", me)
    return router


async def me(caller: Anyone) -> Response:
    """Return the caller's name and scopes."""
    return reply({"user": caller.name, "scopes": sorted(caller.scopes)})


def add_read(router: APIRouter, path: str, scope: str, register: Callable[[Any], Register]) -> None:
    """Add ``GET path/{identity}``, which returns one document.

    Args:
        router: of the system's API.
        path: of the documents, such as ``/invoices``.
        scope: that a caller needs.
        register: picks the register from the system's records.
    """

    async def read(identity: str, records: _Records) -> Response:
        return reply(register(records).get(identity))

    _add(router, f"{path}/{{identity}}", "GET", scope, read)


def add_search(router: APIRouter, path: str, scope: str, register: Callable[[Any], Register]) -> None:
    """Add ``POST path/search``, which finds documents by business key; the arguments are those of ``add_read``."""

    async def search(body: BusinessKeys, records: _Records) -> Response:
        return reply({"data": register(records).find(body.external_ids)})

    _add(router, f"{path}/search", "POST", scope, search)


def add_bulk(
    router: APIRouter, path: str, scope: str, model: type[Item], keep: Callable[[Any, Item], dict[str, Any]]
) -> None:
    """Add ``POST path/bulk``, which keeps up to 500 documents; each succeeds or fails on its own.

    Args:
        router: of the system's API.
        path: of the documents, such as ``/time-entries``.
        scope: that a caller needs.
        model: of a valid document.
        keep: puts a document into the system's records and returns it.
    """

    async def keep_many(body: Many, records: _Records) -> Response:
        with records.store.transaction():
            return reply({"results": each(body.items, model, partial(keep, records))})

    _add(router, f"{path}/bulk", "POST", scope, keep_many)


def _add(router: APIRouter, path: str, method: str, scope: str, endpoint: Callable[..., Any]) -> None:
    router.add_api_route(path, endpoint, methods=[method], dependencies=[Depends(require(scope))])
