"""Odoo 18 and before by XML-RPC: the same calls of models, with name and API key in each of them."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pv_testing.core.classification import Classification, classify_http
from pv_testing.core.errors import (
    AmbiguousOutcome,
    AuthenticationError,
    ConfigError,
    PermissionDenied,
    ResponseError,
    redact,
)
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Verdict
from pv_testing.core.redaction import conceal
from pv_testing.core.response import Response
from pv_testing.providers.odoo.provider import OdooProvider
from pv_testing.transports.auth import Auth

if TYPE_CHECKING:
    from pv_testing.config import SystemConfig

POSITIONAL = {"create": ("vals_list",)}
"""The arguments that Odoo's own dispatch takes by their place alone."""
HEADERS = {"Content-Type": "text/xml", "Accept": "text/xml"}
WARNING, ACCESS_DENIED, ACCESS_ERROR = 2, 3, 4
LONGEST = 300


class OdooXmlRpcProvider(OdooProvider):
    """Speaks to Odoo by XML-RPC."""

    @staticmethod
    def own_auth(config: SystemConfig, on_token: Callable[[str], None] | None) -> Auth | None:
        """Return no credentials of the session, as they go into each call.

        Raises:
            ConfigError: the configuration says another way than name and password.
        """
        del on_token
        if config.auth_type != "basic":
            message = f"Odoo's XML-RPC takes name and API key; set auth_type: basic, not {config.auth_type}"
            raise ConfigError(message, system=config.system, code=Reason.SETTING_MISSING)
        conceal(config.password)
        return Auth()

    async def execute(
        self,
        model: str,
        method: str,
        ids: Sequence[int] = (),
        *,
        operation: str,
        key: str = "",
        repeatable: bool = True,
        **named: Any,
    ) -> Any:
        """Call a method of a model and return what it gives; see :meth:`OdooProvider.execute`."""
        places = [named.pop(name) for name in POSITIONAL.get(method, ())]
        arguments = [*([list(ids)] if ids else []), *places]
        user = await self._user(operation)
        call = (self._database, user, self._key, model, method, arguments, named)
        return await self._rpc("object", "execute_kw", call, operation=operation, key=key, repeatable=repeatable)

    @property
    def _database(self) -> str:
        return str(self.config.options.get("database") or "")

    @property
    def _key(self) -> str:
        """Return the API key as plain text, which is all that XML-RPC can carry."""
        return str(self.config.password)

    async def _user(self, operation: str) -> int:
        """Return the number of the user, asked for once a session.

        Raises:
            AuthenticationError: Odoo doesn't know name and key; it says so by ``False`` under 200.
        """
        if ("res.users", "") not in self._ids:
            call: tuple[Any, ...] = (self._database, self.config.username, self._key, {})
            user = await self._rpc("common", "authenticate", call, operation=operation, key="", repeatable=True)
            if not isinstance(user, int) or isinstance(user, bool):
                message = "Odoo doesn't know this user, key or database; check username, password and options.database"
                raise AuthenticationError(message, system=self.contract.system, code=Reason.CREDENTIALS_REFUSED)
            self._ids["res.users", ""] = user
        return self._ids["res.users", ""]

    async def identity(self) -> str:
        """Return as whom Odoo knows the caller."""
        user = await self._user("identity")
        (known,) = await self.search("res.users", [["id", "=", user]], ("login",), operation="identity")
        return str(known["login"])

    async def _rpc(
        self, service: str, method: str, call: tuple[Any, ...], *, operation: str, key: str, repeatable: bool
    ) -> Any:
        body = xmlrpc.client.dumps(call, method, encoding="utf-8").encode()
        response = await self.session.request(
            "POST", f"/xmlrpc/2/{service}", data=body, headers=HEADERS, operation=operation, key=key,
            repeatable=repeatable, classify=classify, decode=False,
        )  # fmt: skip
        try:
            return decoded(response.body)
        except ResponseError as error:
            if repeatable:
                raise
            raise AmbiguousOutcome(error.message, key=key, code=error.code) from error


def decoded(body: bytes) -> Any:
    """Return what an answer of XML-RPC holds.

    Raises:
        ResponseError: it is none, or declares entities.
        xmlrpc.client.Fault: it is a refusal.
    """
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise ResponseError("the answer declares entities, which XML-RPC has no use for", code="NOT_UNDERSTOOD")
    try:
        values, _ = xmlrpc.client.loads(body, use_builtin_types=True)
    except xmlrpc.client.Fault:
        raise
    except Exception as error:
        message = "the answer is no XML-RPC; a proxy or a login page may have answered in the system's place"
        raise ResponseError(
            message, code="NOT_UNDERSTOOD", excerpt=body[:LONGEST].decode("utf-8", "replace")
        ) from error
    return values[0]


def classify(response: Response, repeatable: bool) -> Classification:  # noqa: FBT001 - the shape of every classifier
    """Say what an answer means: Odoo refuses by a fault under 200, and rolls the transaction back."""
    by_status = classify_http(response, repeatable)
    if by_status.verdict is not Verdict.OK:
        return by_status
    unclear = Verdict.RETRYABLE if repeatable else Verdict.AMBIGUOUS
    try:
        decoded(response.body)
    except ResponseError as error:
        return Classification(unclear, error.code, error.message)
    except xmlrpc.client.Fault as fault:
        reason = redact(fault.faultString.strip().rpartition("\n")[2], LONGEST)
        if fault.faultCode in {WARNING, ACCESS_ERROR, ACCESS_DENIED}:
            kinds = {ACCESS_DENIED: AuthenticationError, ACCESS_ERROR: PermissionDenied}
            return Classification(Verdict.REJECTED, "USER_ERROR", reason, kinds.get(fault.faultCode), promised=True)
        return Classification(unclear, "SERVER_ERROR", reason)
    return by_status
