"""Requests with places to fill, and what they become for one record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

from pv_testing.contracts.paths import Getter, Putter, Template
from pv_testing.contracts.quoting import Quoted
from pv_testing.contracts.words import Vocabulary
from pv_testing.core.errors import MappingError
from pv_testing.core.reasons import Reason

Values = Mapping[str, Any]
NOTHING: Values = {}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Request(NamedTuple):
    """One HTTP request, ready for the session.

    Attributes:
        method: in capitals.
        path: relative to the base address, quoted.
        params: the query.
        body: what to send as JSON; ``None`` for no body.
        form: whether the body is sent as a form instead.
    """

    method: str
    path: str
    params: Mapping[str, str] = NOTHING
    body: Any = None
    form: bool = False

    @property
    def json(self) -> Any:
        """The body, unless it is a form."""
        return None if self.form else self.body

    @property
    def data(self) -> bytes | None:
        """The form, where the body is one."""
        return urlencode(self.body).encode() if self.form else None

    @property
    def headers(self) -> Mapping[str, str] | None:
        """What the body's kind adds to the headers."""
        return FORM if self.form else None

    @property
    def content(self) -> dict[str, Any]:
        """Query and body as the session takes them; to name them one by one costs less, where that counts."""
        return {"params": self.params, "json": self.json, "data": self.data, "headers": self.headers}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter: its ``name``, what ``get`` finds its value by, and a ``vocabulary`` that this goes through."""

    name: str
    get: Getter
    vocabulary: Vocabulary | None = None

    def write(self, value: Any) -> str:
        """Return a value as an address has it."""
        return as_text(value if self.vocabulary is None else self.vocabulary.write(str(value)))


def as_text(value: Any) -> str:
    """Return a value as a query has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """A request with places to fill.

    What goes into the address or the query isn't repeated in the body.

    Attributes:
        method: in capitals.
        path: the address, relative to the base.
        query: our name, a dotted path, to the query parameter.
        constants: query parameters that are always the same.
        templates: query parameters with a text around values of the record.
        fields: the fields of the payload that are sent; ``None`` for all.
        stamps: where values of the context go in the body, such as the revision.
        has_body: whether the method carries one.
        clears: whether ``null`` is sent for those of ``fields`` that a record hasn't, so that a change can take away.
        body_as: ``list`` for a list with the one record, ``form`` for a form; a JSON object otherwise.
        names: the fields that go into the address or the query.
    """

    method: str
    path: Template
    query: Mapping[str, Parameter] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, Quoted] = field(default_factory=dict)
    fields: tuple[str, ...] | None = None
    stamps: tuple[tuple[Putter, str], ...] = ()
    has_body: bool = True
    clears: bool = False
    body_as: str = ""
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = [*self.path.names, *self.query]
        for template in self.templates.values():
            names += template.names
        object.__setattr__(self, "names", tuple(names))

    def params(self, payload: Values) -> dict[str, str]:
        """Return the query; what the payload lacks is left out."""
        params = dict(self.constants)
        for parameter in self.query.values():
            value = parameter.get(payload)
            if value is not None:
                params[parameter.name] = parameter.write(value)
        for target, template in self.templates.items():
            text = template.fill(payload)
            if text is not None:
                params[target] = text
        return params

    def body(self, payload: Values, context: Values = NOTHING) -> dict[str, Any]:
        """Return what one record's body is before anything of it moves into the address.

        Args:
            payload: the mapped record.
            context: ``id`` (in the system), ``key``, ``revision`` and ``idempotency_key``, as far as known.
        """
        if self.fields is None:
            body = dict(payload)
        else:
            body = {name: payload.get(name) for name in self.fields if self.clears or name in payload}
        for put, name in self.stamps:
            if context.get(name) is None:
                raise MappingError(f"{self.path.text}: no {name} is known", code=Reason.FIELD_MISSING)
            put(body, context[name])
        return body

    def request(self, payload: Values = NOTHING, context: Values = NOTHING) -> Request:
        """Return the request for one record, or with the arguments of a plain call.

        Args:
            payload: the mapped record, or the arguments.
            context: ``id`` (in the system), ``key``, ``revision`` and ``idempotency_key``, as far as known.

        Raises:
            MappingError: the address lacks a value, or a request without body was given too much.
        """
        path = self.path.url(payload, context)
        params = self.params(payload) if self.query or self.templates else dict(self.constants)
        body = self.body(payload, context)
        for name in self.names:
            body.pop(name, None)
        if self.has_body:
            return self.written(Request(self.method, path, params, body))
        if body:
            known = ", ".join(self.names) or "nothing"
            raise MappingError(
                f"{self.path.text} takes no {', '.join(body)}; it takes {known}", code=Reason.FIELD_UNKNOWN
            )
        return Request(self.method, path, params)

    def written(self, request: Request) -> Request:
        """Return a request with its body as the system takes it."""
        if self.body_as == "list":
            return request._replace(body=[request.body])
        if self.body_as == "form":
            return request._replace(params={}, body={**request.params, **request.body}, form=True)
        return request

    def of_many(self, body: Any) -> Request:
        """Return the request whose body speaks of many records, so that nothing of it goes into the address."""
        return Request(self.method, self.path.text, dict(self.constants), body)
