"""SAP's quality notifications: writes with a CSRF token, and one long text for what has no field of its own."""

from __future__ import annotations

from collections.abc import Mapping

from pv_testing.contracts.request_template import Request
from pv_testing.core.classification import ResponseClassifier
from pv_testing.core.errors import PermissionDenied
from pv_testing.core.records import Payload, Record
from pv_testing.core.response import Response
from pv_testing.core.values import lines
from pv_testing.exchange.operation import Operation
from pv_testing.providers.csrf import CsrfToken
from pv_testing.providers.rest import RestOperation, RestProvider

SERVICE = "/API_QUALITYNOTIFICATION"
TEXT = "text"
TRIES = 4
"""A load balancer without affinity loses the session of one write in eight; nothing was done then."""
ANY_VERSION = {"If-Match": "*"}


class SapQmProvider(RestProvider):
    """Speaks to SAP QM; the arguments are those of :class:`RestProvider`."""

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine."""
        return NotificationOperation(self.contract, self.contract.operation(name), self.session)


class NotificationOperation(RestOperation):
    """Writes one kind of notification; the arguments are those of :class:`RestOperation`."""

    _token: CsrfToken | None = None

    def prepare(self, record: Record) -> Payload:
        """Map a record; what the contract puts under ``text`` becomes the lines of the long text."""
        payload = super().prepare(record)
        for field, texts in (payload.pop(TEXT, None) or {}).items():
            payload[field] = "\n\n".join(f"{name}:\n{lines(value)}" for name, value in texts.items())
        return payload

    async def _exchange(
        self,
        request: Request,
        key: str,
        classify: ResponseClassifier,
        headers: Mapping[str, str] | None = None,
        *,
        decode: bool = False,
    ) -> Response:
        """Send a change with a token, and again with a new one where SAP has lost the session of the last."""
        token = self._token = self._token or CsrfToken(self._session, f"{SERVICE}/")
        version = ANY_VERSION if request.method == "PATCH" else {}
        for left in reversed(range(TRIES)):
            own = {**(headers or {}), **version, **await token.headers(self.name)}
            try:
                return await super()._exchange(request, key, classify, own, decode=decode)
            except PermissionDenied as error:
                if not (token.lost(error) and left):
                    raise
        raise AssertionError
