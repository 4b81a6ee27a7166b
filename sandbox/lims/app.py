"""The LIMS as an application that a server can run."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, FastAPI, Request
from fastapi import Header as HeaderField
from starlette.responses import Response

from sandbox import control, problems
from sandbox.auth import decode_basic
from sandbox.gate import Gate
from sandbox.lims import api, lab
from sandbox.lims.records import Records
from sandbox.problems import reply
from sandbox.system import System

token_router = APIRouter(prefix="/api/v2")


@token_router.post("/oauth/token")
async def token(request: Request, authorization: Annotated[str, HeaderField()] = "") -> Response:
    """Hand out a token for client credentials, from HTTP basic or the form (RFC 6749, 4.4)."""
    form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
    if form.get("grant_type") != "client_credentials":
        return _oauth_error(400, "unsupported_grant_type")
    authenticator = request.app.state.system.authenticator
    name, secret = form.get("client_id", ""), form.get("client_secret", "")
    if authorization.lower().startswith("basic "):
        name, secret = decode_basic(authorization[6:])
    principal = authenticator.by_password(authenticator.clients, name, secret)
    if principal is None:
        return _oauth_error(401, "invalid_client")
    wanted = frozenset(form.get("scope", "").split()) or principal.scopes
    if not wanted <= principal.scopes:
        return _oauth_error(400, "invalid_scope")
    granted = type(principal)(principal.name, wanted)
    answer: dict[str, Any] = {"access_token": authenticator.issue(granted), "token_type": "Bearer"}
    return reply({**answer, "expires_in": int(authenticator.lifetime), "scope": " ".join(sorted(wanted))})


def _oauth_error(status: int, code: str) -> Response:
    if status == 401:
        return reply({"error": code}, status, {"WWW-Authenticate": 'Basic realm="sandbox"'})
    return reply({"error": code}, status)


def build(system: System, *, idempotency: bool = False) -> Gate:
    """Return the LIMS's application.

    Args:
        system: its store, callers and faults.
        idempotency: whether ``Idempotency-Key`` is honoured.
    """
    app = FastAPI(title="Sandbox LIMS", version="2.0.0", openapi_url="/api/v2/openapi.json")
    app.state.system = system
    app.state.records = Records(system.store)
    app.state.idempotency = idempotency
    problems.install(app)
    for each in (token_router, api.router, control.router, lab.router):
        app.include_router(each)
    return Gate(app, system)
