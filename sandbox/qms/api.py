"""The QMS's REST API, under ``/api``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from sandbox.auth import Principal, require
from sandbox.problems import reply

router = APIRouter(prefix="/api")
Anyone = Annotated[Principal, Depends(require())]


@router.get("/me")
async def me(who: Anyone) -> Response:
    """Say who is asking."""
    return reply({"user": who.name, "scopes": sorted(who.scopes)})
