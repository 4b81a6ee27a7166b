"""SOAP over the session of REST: the same deadlines, retries, limits, certificates and credentials.

To those who use it, an operation of the WSDL is a path, its arguments are the query and the body, and the answer is
JSON. A fault of the caller's side has the status 400, one of the system's side 500, whatever HTTP said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from pv_testing.contracts.fault import Fault
from pv_testing.contracts.wsdl import Message, Port
from pv_testing.core.classification import Classification, ResponseClassifier, classify_http
from pv_testing.core.errors import AuthenticationError, IntegrationError, ResponseError
from pv_testing.core.records import Verdict
from pv_testing.core.response import Response
from pv_testing.transports.auth import Auth
from pv_testing.transports.rest import REPEATABLE, RestSession
from pv_testing.transports.settings import RestSettings
from pv_testing.transports.wsse import Arguments

_BY_FAULT = frozenset({400, 500})


class SoapSession(RestSession):
    """One session with one SOAP service, for one event loop; an asynchronous context manager.

    Args:
        port: the operations that the service has.
        settings: how the system is reached; every request goes to ``base_url`` itself.
        auth: who asks.
        on_pause: called, in a thread, with the epoch seconds until which the system wants to be left alone.
        not_before: epoch seconds of such a wish that an earlier process was told.
    """

    def __init__(
        self,
        port: Port,
        settings: RestSettings,
        auth: Auth | None = None,
        *,
        on_pause: Callable[[float], None] | None = None,
        not_before: float = 0.0,
    ) -> None:
        super().__init__(settings, auth, on_pause=on_pause, not_before=not_before)
        self._port = port

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        operation: str = "",
        key: str = "",
        repeatable: bool | None = None,
        timeout: float | None = None,
        classify: ResponseClassifier | None = None,
        decode: bool = True,
    ) -> Response:
        """Call an operation until its outcome is known, or say that it isn't.

        Args:
            method: ``GET`` for what only reads and may be repeated, ``POST`` for the rest; SOAP itself knows no other.
            path: the operation's name in the WSDL.
            params: arguments.
            json: further ones.
            data: nothing; SOAP has its own body.
            headers: besides those of SOAP.
            operation: its name in errors.
            key: the record's business key, in errors.
            repeatable: whether it may be sent twice without harm; by default reads may.
            timeout: seconds for all attempts together.
            classify: says what an answer means; by default its status does.
            decode: nothing; every answer is decoded.

        Returns:
            An answer that the classifier calls ``ok``, as JSON.

        Raises:
            MappingError: the arguments aren't what the WSDL asks for; nothing was sent.
            IntegrationError: as :meth:`RestSession.request`.
        """
        del data, decode
        texts = self._port.texts
        arguments = texts.arguments(params or {}, json) if texts else {**(params or {}), **(json or {})}
        if isinstance(self.auth, Arguments):
            arguments = {**arguments, **self.auth.empty}
        message = self._message(path, arguments, operation, key)
        reading = _Reading(self._port, path, classify or classify_http)
        await super().request(
            "POST",
            self.settings.base_url,
            data=message.body,
            headers={"Accept": "text/xml, application/soap+xml", **message.headers, **(headers or {})},
            operation=operation,
            key=key,
            repeatable=method in REPEATABLE if repeatable is None else repeatable,
            timeout=timeout,
            classify=reading.classify,
            decode=False,
        )
        return reading.answer

    def _message(self, name: str, arguments: Mapping[str, Any], operation: str, key: str) -> Message:
        try:
            return self._port.message(name, arguments)
        except IntegrationError as error:
            known = self.settings
            raise error.about(system=known.system, provider=known.provider, operation=operation, key=key) from None


class _Reading:
    """Reads the answers to one request, the last of which counts.

    Args:
        port: what the answer may be.
        operation: its name in the WSDL.
        classify: says what an answer means.

    Attributes:
        answer: the last one that was read.
    """

    def __init__(self, port: Port, operation: str, classify: ResponseClassifier) -> None:
        self._port = port
        self._operation = operation
        self._classify = classify
        self.answer: Response

    def classify(self, response: Response, repeatable: bool) -> Classification:  # noqa: FBT001 - the shape of every classifier
        """Decode an answer and say what it means; a success that can't be read may have taken effect."""
        try:
            self.answer = self._decoded(response)
        except ResponseError as error:
            classification = self._classify(response, repeatable)
            if classification.verdict is not Verdict.OK:
                return classification
            return Classification(Verdict.RETRYABLE if repeatable else Verdict.AMBIGUOUS, error.code, error.message)
        classification = self._classify(self.answer, repeatable)
        is_stranger = self.answer.status == 401 and classification.verdict is Verdict.REJECTED
        return classification._replace(error=AuthenticationError) if is_stranger else classification

    def _decoded(self, response: Response) -> Response:
        content = self._port.answer(self._operation, response.body)
        status = response.status
        if isinstance(content, Fault):
            if 200 <= status < 300 or status in _BY_FAULT:
                status = 401 if content.is_strangers else 400 if content.is_callers else 500
            content = content.as_json()
        elif self._port.texts is not None and 200 <= status < 300:
            content = self._port.texts.read(content)
        return Response(status, response.headers, orjson.dumps(content), response.url)
