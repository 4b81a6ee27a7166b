"""The provider: filters in the form that means what it says, and listings in the project's words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

from pv_testing.config.options import chosen
from pv_testing.contracts.model import Contract
from pv_testing.core.errors import AmbiguousOutcome, ConfigError, ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.core.response import Response
from pv_testing.exchange.operation import Operation
from pv_testing.providers.redmine.keys import ISSUES, TIME_ENTRIES, Collection, Item, Keys
from pv_testing.providers.redmine.options import Options
from pv_testing.providers.rest import RestOperation, RestProvider
from pv_testing.transports import pagination
from pv_testing.transports.rest import RestSession

if TYPE_CHECKING:
    from pv_testing.config import SystemConfig

Where = Mapping[str, tuple[str, Sequence[str]]]
NO_AUDIT = (
    "Redmine has no place for an audit trail that can't be changed; send it to another QMS, or leave it in the ledger"
)


class RedmineProvider(RestProvider):
    """Speaks to Redmine.

    Args:
        config: the system's part of the configuration.
        contract: how Redmine is spoken to.
        session: for the running event loop.

    Raises:
        ConfigError: an option is unknown or of the wrong type.
    """

    known_options: ClassVar[Mapping[str, Any]] = {field.name: field.default for field in fields(Options)}

    def __init__(self, config: SystemConfig, contract: Contract, session: RestSession) -> None:
        from pv_testing.providers.redmine.setup import RedmineSetup

        super().__init__(config, contract, session)
        options = chosen(config, self.known_options)
        self.options = Options(**{name: options[name] for name in self.known_options})
        self.issues = Keys(self, ISSUES)
        self.time_entries = Keys(self, TIME_ENTRIES)
        self.setup = RedmineSetup(self)

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine."""
        from pv_testing.providers.redmine.changes import ProgressOperation, TaskStatusOperation
        from pv_testing.providers.redmine.files import RedmineFileOperation
        from pv_testing.providers.redmine.hours import EquipmentHoursOperation, OperatorHoursOperation
        from pv_testing.providers.redmine.issues import IssueOperation
        from pv_testing.providers.redmine.steps import RedmineOperation

        if name in {"log_audit_event", "get_audit_events"} and name not in self.contract.operations:
            raise ConfigError(NO_AUDIT, system=self.contract.system, operation=name, code=Reason.NO_OPERATION)
        steps: dict[str, type[RedmineOperation]] = {
            "create_task": IssueOperation,
            "create_subtask": IssueOperation,
            "create_nc_report": IssueOperation,
            "create_capa": IssueOperation,
            "update_task": TaskStatusOperation,
            "update_project_progress": ProgressOperation,
            "log_time_entry": OperatorHoursOperation,
            "log_resource_usage": EquipmentHoursOperation,
            "attach_file": RedmineFileOperation,
        }
        spec = self.contract.operation(name)
        return steps[name](self, spec) if name in steps else RestOperation(self.contract, spec, self.session)

    async def ask(self, method: str, path: str, root: str, *, operation: str, key: str = "", **request: Any) -> Any:
        """Send one request of an operation and return what its answer has under ``root``.

        Args:
            method: the HTTP method.
            path: relative to the base address.
            root: what Redmine calls the answer.
            operation: whose step it is.
            key: the business key of the record.
            request: anything else that :meth:`RestSession.request` takes.

        Raises:
            AmbiguousOutcome: a write was answered with something else.
            ResponseError: a read was.
        """
        response = await self._request_step(method, path, operation, key, request)
        answer = response.json()
        if not isinstance(answer, Mapping) or root not in answer:
            unclear = ResponseError if method == "GET" else AmbiguousOutcome
            raise unclear(f"Redmine's answer has no {root}", key=key, code="NO_ROOT", excerpt=response.text)
        return answer[root]

    async def put(self, path: str, body: Any, *, operation: str, key: str, repeatable: bool = True) -> None:
        """Change something; Redmine answers with nothing at all, also where it ignores the change.

        Args:
            path: relative to the base address.
            body: the changes.
            operation: whose step it is.
            key: the business key of the record.
            repeatable: whether a repetition does no harm, as one with a note would.

        Raises:
            AmbiguousOutcome: something else has answered.
        """
        request = {"json": body, "repeatable": repeatable, "decode": False}
        response = await self._request_step("PUT", path, operation, key, request)
        if response.body.strip():
            message = "the answer isn't Redmine's; the change may have taken effect"
            raise AmbiguousOutcome(message, key=key, code="NOT_EMPTY", excerpt=response.text)

    async def _request_step(
        self, method: str, path: str, operation: str, key: str, request: Mapping[str, Any]
    ) -> Response:
        spec = replace(self.contract.operation(operation), success=frozenset())
        return await self.session.request(
            method, path, operation=operation, key=key, classify=self.contract.classify(spec), **request
        )

    async def issue(self, number: Any, operation: str, *, key: str = "", include: str = "") -> dict[str, Any]:
        """Return one issue.

        Args:
            number: its id.
            operation: whose step it is.
            key: the business key of the record.
            include: what Redmine gives only when asked for, such as ``journals``.

        Raises:
            NotFound: there is none.
        """
        params = {"include": include} if include else None
        path = f"/issues/{int(number)}.json"
        return dict(await self.ask("GET", path, "issue", operation=operation, key=key, params=params))

    async def search(
        self, collection: Collection, where: Where, operation: str, params: Mapping[str, str] | None = None
    ) -> list[Item]:
        """Return everything that meets the conditions, page by page.

        Args:
            collection: of issues or of time entries.
            where: by Redmine's name of a field, the operator and the values.
            operation: whose step it is.
            params: the query's other parameters.
        """
        pages = replace(self.contract.pagination, items=collection.root)
        items = pagination.items(
            self.session,
            collection.path,
            pages,
            {**_filters(where), "sort": "id", **(params or {})},
            item_id=itemgetter("id"),
            operation=operation,
        )
        return [item async for item in items]

    async def first(self, collection: Collection, where: Where, operation: str) -> list[Item]:
        """Return the first that meets the conditions, if any does."""
        params = {**_filters(where), "limit": "1"}
        return list(await self.ask("GET", collection.path, collection.root, operation=operation, params=params))

    async def call(self, name: str, /, **arguments: Any) -> Any:
        """Make one call that needs no ledger; an issue is described as every PM and QMS contract describes it."""
        from pv_testing.providers.redmine.listings import described

        answer = await super().call(name, **arguments)
        return described(self, answer["issue"]) if isinstance(answer, Mapping) and "issue" in answer else answer

    async def listing(self, name: str, /, **criteria: Any) -> AsyncIterator[dict[str, Any]]:
        """Give every item of a listing as every PM and QMS contract describes it."""
        from pv_testing.providers.redmine.listings import listed

        for item in await listed(self, name, {key: str(value) for key, value in criteria.items() if value}):
            yield item


def _filters(where: Where) -> dict[str, Any]:
    """Return conditions in the long form: the short one reads ``~``, ``*`` and ``|`` in a value as operators."""
    params: dict[str, Any] = {"f[]": list(where)}
    for field, (operator, values) in where.items():
        params[f"op[{field}]"] = operator
        params[f"v[{field}][]"] = list(values)
    return params
