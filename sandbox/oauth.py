"""Tokens for client credentials, as the LIMS, the QMS and the ERP hand them out."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from sandbox.auth import decode_basic
from sandbox.problems import reply

router = APIRouter()


@router.post("/oauth/token")
async def token(request: Request, authorization: Annotated[str, Header()] = "") -> Response:
    """Hand out a token for client credentials, from HTTP basic or the form (RFC 6749, 4.4)."""
    form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
    if form.get("grant_type") != "client_credentials":
        return _error(400, "unsupported_grant_type")
    authenticator = request.app.state.system.authenticator
    name, secret = form.get("client_id", ""), form.get("client_secret", "")
    if authorization.lower().startswith("basic "):
        name, secret = decode_basic(authorization[6:])
    principal = authenticator.by_password(authenticator.clients, name, secret)
    if principal is None:
        return _error(401, "invalid_client")
    wanted = frozenset(form.get("scope", "").split()) or principal.scopes
    if not wanted <= principal.scopes:
        return _error(400, "invalid_scope")
    granted = type(principal)(principal.name, wanted)
    answer: dict[str, Any] = {"access_token": authenticator.issue(granted), "token_type": "Bearer"}
    return reply({**answer, "expires_in": int(authenticator.lifetime), "scope": " ".join(sorted(wanted))})


def _error(status: int, code: str) -> Response:
    if status == 401:
        return reply({"error": code}, status, {"WWW-Authenticate": 'Basic realm="sandbox"'})
    return reply({"error": code}, status)
