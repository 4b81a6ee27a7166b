"""The refusals of all systems: one error envelope, with the field named where a field is at fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

_CODES = {404: "RESOURCE_NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
_PLACES = frozenset({"body", "query", "path", "header"})


class HttpProblem(Exception):
    """A request is refused.

    Args:
        status: the HTTP status.
        code: a short reason code.
        message: the reason in words.
        details: the fields at fault.
        headers: further response headers.
        extra: further members of the error object, such as ``retry_after``.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = list(details)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def envelope(self, request_id: str = "") -> dict[str, Any]:
        """Return the error as the body of a response."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "details": self.details, **self.extra}
        if request_id:
            error["request_id"] = request_id
        return {"error": error}


def reply(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return Response(orjson.dumps(data), status, headers, "application/json")


def not_found(label: str, identity: object) -> HttpProblem:
    """Return the refusal for a record that doesn't exist."""
    return HttpProblem(404, "RESOURCE_NOT_FOUND", f"{label} {identity} does not exist")


def details_of(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Return pydantic's errors as ``{field, message}``, the field as a dotted path."""
    return [{"field": _field(error["loc"]), "message": str(error["msg"])} for error in errors]


def _field(location: Sequence[Any]) -> str:
    parts = [str(part) for part in location]
    return ".".join(parts[1:] if parts and parts[0] in _PLACES else parts) or "body"


def install(app: FastAPI) -> None:
    """Make an application answer each error with the envelope."""
    app.add_exception_handler(HttpProblem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)


def _answer(request: Request, problem: HttpProblem) -> Response:
    request_id = getattr(request.state, "request_id", "")
    return reply(problem.envelope(request_id), problem.status, problem.headers)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpProblem)
    return _answer(request, error)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    details = details_of(error.errors())
    return _answer(request, HttpProblem(422, "VALIDATION_ERROR", "The request is not valid", details=details))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "HTTP_ERROR")
    headers = dict(error.headers or {})
    return _answer(request, HttpProblem(error.status_code, code, str(error.detail), headers=headers))
