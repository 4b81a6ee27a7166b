"""Makes each request ready right before it is written: signed or sealed anew, also where it is repeated.

What logs, evidence and errors see is the request as it was before, without signature, password or token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pv_testing.core.response import Response
from pv_testing.transports.outgoing_request import Carrier, OutgoingRequest

Seal = Callable[[OutgoingRequest, Mapping[str, str]], tuple[OutgoingRequest, Mapping[str, str]]]


class SealingWire:
    """Carries requests, each made ready for this one time.

    Args:
        inner: carries them on.
        seal: returns the request and the headers as they are written.
    """

    def __init__(self, inner: Carrier, seal: Seal) -> None:
        self._inner = inner
        self._seal = seal

    @property
    def closed(self) -> bool:
        """Whether nothing is sent any more."""
        return self._inner.closed

    @closed.setter
    def closed(self, closed: bool) -> None:
        self._inner.closed = closed

    async def send(self, call: OutgoingRequest, headers: Mapping[str, str]) -> Response:
        """Send once; what is raised is as of the inner one. A request for credentials goes as it is."""
        if call.login:
            return await self._inner.send(call, headers)
        sealed, headers = self._seal(call, headers)
        try:
            return await self._inner.send(sealed, headers)
        finally:
            call.written = sealed.written

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
