"""The provider: calls of Tryton's models, and listings in the project's words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pv_testing.contracts.model import Contract
from pv_testing.core.errors import AmbiguousOutcome, AuthenticationError, ConfigError, PaginationLoop, ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.exchange.operation import Operation
from pv_testing.providers.rest import RestOperation, RestProvider
from pv_testing.providers.tryton.answers import classify
from pv_testing.providers.tryton.encoding import decoded, encoded
from pv_testing.providers.tryton.login import PATH, TrytonLogin
from pv_testing.transports.auth import Auth
from pv_testing.transports.rest import RestSession

if TYPE_CHECKING:
    from pv_testing.config import SystemConfig

Item = Mapping[str, Any]
PAGE = 500
PAGES = 2_000
# Of the preferences, not only what goes into the context of calls.
ALL = False


class TrytonProvider(RestProvider):
    """Speaks to Tryton.

    Args:
        config: the system's part of the configuration.
        contract: how Tryton is spoken to.
        session: for the running event loop.
    """

    def __init__(self, config: SystemConfig, contract: Contract, session: RestSession) -> None:
        from pv_testing.providers.tryton.setup import TrytonSetup

        super().__init__(config, contract, session)
        self.setup = TrytonSetup(self)
        self._preferences: Mapping[str, Any] | None = None

    @staticmethod
    def own_auth(config: SystemConfig, on_token: Callable[[str], None] | None) -> Auth | None:
        """Return Tryton's own login.

        Raises:
            ConfigError: the configuration says another way.
        """
        if config.auth_type != "basic":
            message = f"Tryton gives a session for name and password; set auth_type: basic, not {config.auth_type}"
            raise ConfigError(message, system=config.system, code=Reason.SETTING_MISSING)
        return TrytonLogin(str(config.username), str(config.password), on_token)

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine."""
        from pv_testing.providers.tryton.consumables import ConsumableOperation
        from pv_testing.providers.tryton.credit import CreditNoteOperation
        from pv_testing.providers.tryton.customers import CustomerOperation
        from pv_testing.providers.tryton.invoices import InvoiceOperation
        from pv_testing.providers.tryton.movements import MovementOperation
        from pv_testing.providers.tryton.posting import PostingOperation
        from pv_testing.providers.tryton.steps import TrytonOperation

        steps: dict[str, type[TrytonOperation]] = {
            "create_customer": CustomerOperation,
            "create_invoice": InvoiceOperation,
            "post_invoice": PostingOperation,
            "create_credit_note": CreditNoteOperation,
            "record_stock_movement": MovementOperation,
            "draw_consumable": ConsumableOperation,
        }
        spec = self.contract.operation(name)
        return steps[name](self, spec) if name in steps else RestOperation(self.contract, spec, self.session)

    async def ask(
        self,
        model: str,
        method: str,
        *params: Any,
        operation: str,
        key: str = "",
        repeatable: bool = True,
        seen: Item | None = None,
    ) -> Any:
        """Call a method of a model in the user's company, and return what it gives.

        Args:
            model: Tryton's name of it, such as ``party.party``.
            method: of the model.
            params: its arguments, with dates and decimals as Python has them.
            operation: whose step it is.
            key: the business key of the record.
            repeatable: whether the call may be sent twice without harm.
            seen: the record as it was read; Tryton refuses the call where it has been changed since.

        Raises:
            Rejected: Tryton refuses it.
            AmbiguousOutcome: it may or may not have taken effect.
            ResponseError: the answer to a call that may be repeated can't be understood.
        """
        company, _ = await self.company(operation)
        context: dict[str, Any] = {"company": company, "language": "en"}
        if seen is not None:
            context["_timestamp"] = {f"{model},{seen['id']}": seen["_timestamp"]}
        call = [f"model.{model}.{method}", *params, context]
        return await self._rpc(*call, operation=operation, key=key, repeatable=repeatable)

    async def _rpc(self, method: str, *params: Any, operation: str, key: str = "", repeatable: bool = True) -> Any:
        body = {"id": 1, "method": method, "params": encoded(params)}
        response = await self.session.request(
            "POST", PATH, json=body, operation=operation, key=key, repeatable=repeatable, classify=classify
        )
        try:
            return decoded(response.json()["result"])
        except (ArithmeticError, KeyError, TypeError, ValueError) as error:
            unclear = ResponseError if repeatable else AmbiguousOutcome
            message = "Tryton's answer can't be understood"
            raise unclear(message, key=key, code="NOT_UNDERSTOOD", excerpt=response.text) from error

    async def company(self, operation: str) -> tuple[int, str]:
        """Return the number of the company that the user works in, and the user's name.

        Raises:
            ConfigError: the user has none.
        """
        if self._preferences is None:
            call = ("model.res.user.get_preferences", ALL, {"language": "en"})
            self._preferences = await self._rpc(*call, operation=operation)
        company = self._preferences.get("company")
        if company is None:
            message = "the user works in no company; set the user's company in Tryton under Administration, Users"
            raise ConfigError(message, system=self.contract.system, code="COMPANY_MISSING")
        return int(company), str(self._preferences.get("name") or "")

    async def identity(self) -> str:
        """Return as whom Tryton knows the caller."""
        _, name = await self.company("identity")
        if not name:
            raise AuthenticationError("Tryton answers, but doesn't say to whom", system=self.contract.system)
        return name

    async def search(
        self, model: str, domain: Sequence[Any], fields: Sequence[str], *, operation: str, key: str = ""
    ) -> list[dict[str, Any]]:
        """Return everything that meets the conditions, oldest first, page by page.

        Args:
            model: Tryton's name of it.
            domain: the conditions, such as ``[["code", "=", "17"]]``.
            fields: those that are read of each; ``party.code`` comes as ``{"party.": {"code": …}}``.
            operation: whose step it is.
            key: the business key of the record.

        Raises:
            ResponseError: what comes is no page of records.
            PaginationLoop: a page doesn't go on where the one before ended, or there is no end.
        """
        known = {"system": self.contract.system, "provider": self.contract.provider, "operation": operation, "key": key}
        records: list[dict[str, Any]] = []
        for _ in range(PAGES):
            last = [["id", ">", records[-1]["id"]]] if records else []
            params = [[*domain, *last], 0, PAGE, [["id", "ASC"]], [*fields, "_timestamp"]]
            page = await self.ask(model, "search_read", *params, operation=operation, key=key)
            try:
                _goes_on(page, records[-1]["id"] if records else -1)
            except ResponseError as error:
                raise error.about(**known) from None
            records += page
            if len(page) < PAGE:
                return records
        message = f"a search of {model} has no end: {len(records):,} records were read"
        raise PaginationLoop(message, **known)

    async def call(self, name: str, /, **arguments: Any) -> Any:
        """Make one call that needs no ledger.

        Raises:
            NotFound: Tryton has no such invoice.
            ConfigError: the contract has no such read.
        """
        from pv_testing.providers.tryton.listings import invoice

        self.contract.operation(name)
        if name != "get_invoice":
            raise ConfigError(f"{name} is no single read of Tryton; list it", code=Reason.NO_OPERATION)
        return await invoice(self, **arguments)

    async def listing(self, name: str, /, **criteria: Any) -> AsyncIterator[dict[str, Any]]:
        """Give every item of a listing as every ERP contract describes it."""
        from pv_testing.providers.tryton.listings import listed

        for item in await listed(self, name, {key: str(value) for key, value in criteria.items() if value}):
            yield item


def _goes_on(page: Any, last: int) -> None:
    """Make sure that a page is one of records, each with a higher id than the one before."""
    if not isinstance(page, list):
        raise ResponseError("Tryton's answer to a search is no list", code=Reason.NO_LIST, excerpt=str(page))
    for record in page:
        number = record.get("id") if isinstance(record, Mapping) else None
        if not isinstance(number, int) or isinstance(number, bool):
            raise ResponseError("Tryton's answer has something without id", code=Reason.NO_LIST, excerpt=str(record))
        if number <= last:
            message = f"Tryton gave the record {number} after {last}; a proxy may have answered in its place"
            raise PaginationLoop(message)
        last = number
