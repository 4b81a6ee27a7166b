"""The provider of Jira Cloud: requests of the steps, searches by token, people by their account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pv_testing.config.options import chosen
from pv_testing.contracts.model import Contract
from pv_testing.core.errors import AmbiguousOutcome, PaginationLoop, ResponseError
from pv_testing.exchange.operation import Operation
from pv_testing.providers.jira.documents import document
from pv_testing.providers.jira.keys import PROPERTY, Issue, Keys
from pv_testing.providers.jira.options import Options
from pv_testing.providers.rest import RestProvider
from pv_testing.transports.rest import RestSession

if TYPE_CHECKING:
    from pv_testing.config import SystemConfig

PAGES = 1_000
RECONCILED = 50
FIELDS = (
    "summary", "description", "duedate", "labels", "project", "issuetype", "status", "assignee", "parent",
    "timetracking", "created", "resolutiondate",
)  # fmt: skip


class JiraProvider(RestProvider):
    """Speaks to Jira Cloud.

    Args:
        config: the system's part of the configuration.
        contract: how Jira is spoken to.
        session: for the running event loop.

    Attributes:
        lag: seconds after which a search surely shows a new issue.
        parents: the id of the main task of each subtask that was asked for.

    Raises:
        ConfigError: an option is unknown or of the wrong type.
    """

    known_options: ClassVar[Mapping[str, Any]] = {field.name: field.default for field in fields(Options)}
    default_lag: ClassVar[float] = 43_200.0
    account: ClassVar[str] = "accountId"
    account_query: ClassVar[str] = "query"

    def __init__(self, config: SystemConfig, contract: Contract, session: RestSession) -> None:
        from pv_testing.providers.jira.people import People

        super().__init__(config, contract, session)
        options = chosen(config, self.known_options)
        self.options = Options(**{name: options[name] for name in self.known_options})
        self.lag = self.default_lag if self.options.search_lag < 0 else float(self.options.search_lag)
        self.parents: dict[str, str] = {}
        self.keys = Keys(self)
        self.people = People(self)

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine."""
        from pv_testing.providers.jira.issues import IssueOperation
        from pv_testing.providers.jira.progress import ProgressOperation
        from pv_testing.providers.jira.steps import JiraOperation
        from pv_testing.providers.jira.transitions import StatusOperation
        from pv_testing.providers.jira.worklogs import EquipmentHoursOperation, OperatorHoursOperation

        steps: dict[str, type[JiraOperation]] = {
            "create_task": IssueOperation,
            "create_subtask": IssueOperation,
            "update_task": StatusOperation,
            "update_project_progress": ProgressOperation,
            "log_time_entry": OperatorHoursOperation,
            "log_resource_usage": EquipmentHoursOperation,
        }
        return steps[name](self, self.contract.operation(name)) if name in steps else super().operation(name)

    def text(self, text: str) -> Any:
        """Return text for people as Jira takes it: as a document."""
        return document(text)

    async def ask(self, method: str, path: str, operation: str, *, key: str = "", **request: Any) -> Any:
        """Send one request of an operation and return the decoded answer.

        Args:
            method: the HTTP method.
            path: relative to the base address.
            operation: whose step it is.
            key: the business key of the record.
            request: anything else that :meth:`RestSession.request` takes.
        """
        spec = replace(self.contract.operation(operation), success=frozenset())
        request.setdefault("classify", self.contract.classify(spec))
        response = await self.session.request(method, path, operation=operation, key=key, **request)
        return response.json()

    async def issue(
        self, number: Any, operation: str, *, key: str = "", fields: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """Return one issue, as it is now.

        Args:
            number: its id.
            operation: whose step it is.
            key: the business key of the record.
            fields: which of its fields; those that records have without it.

        Raises:
            NotFound: there is none, or it isn't shown to this account.
        """
        params = {"fields": ",".join(fields or self.fields), "properties": PROPERTY}
        answer = await self.ask("GET", f"/issue/{int(number)}", operation, key=key, params=params)
        if not isinstance(answer, dict) or "id" not in answer:
            raise ResponseError("Jira's answer is no issue", key=key, code="NO_ISSUE")
        return {"fields": {}, **answer}

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of issues that are read."""
        numbers = (self.options.key_field, self.options.start_field, self.options.progress_field)
        return (*FIELDS, *(f"customfield_{number}" for number in numbers if number))

    async def issues(self, ids: Sequence[str], operation: str) -> list[Issue]:
        """Return issues by their ids, as they are now; one that isn't there is left out."""
        body = {"issueIdsOrKeys": list(ids), "fields": list(self.fields), "properties": [PROPERTY]}
        answer = await self.ask("POST", "/issue/bulkfetch", operation, json=body, repeatable=True)
        return _list(answer, "issues")

    async def search(self, jql: str, operation: str, *, reconcile: Sequence[str] = ()) -> list[Issue]:
        """Return all issues that a query finds, page by page; a page says no total, and a short one isn't the last.

        Args:
            jql: the query.
            operation: whose step it is.
            reconcile: ids of issues that the answer must show as they are now; the first fifty count.

        Raises:
            PaginationLoop: Jira gives the same token again, or no end.
        """
        body: dict[str, Any] = {"jql": jql, "fields": list(self.fields), "properties": [PROPERTY], "maxResults": 100}
        if reconcile:
            body["reconcileIssues"] = [int(number) for number in reconcile[:RECONCILED]]
        issues: list[Issue] = []
        tokens: set[str] = set()
        for _ in range(PAGES):
            answer = await self.ask("POST", "/search/jql", operation, json=body, repeatable=True)
            issues += _list(answer, "issues")
            token = answer.get("nextPageToken")
            if not token or answer.get("isLast"):
                return issues
            if token in tokens:
                break
            tokens.add(token)
            body["nextPageToken"] = token
        raise PaginationLoop("Jira's search gives the same page again; nothing of it can be relied on")

    async def made(self, answer: Any, operation: str) -> dict[str, Any]:
        """Return the ids that a bulk creation says, by business key: each issue is read, for no order is promised."""
        ids = [str(each["id"]) for each in _list(answer, "issues")]
        issues = await self.issues(ids, operation) if ids else []
        return {self.keys.of(issue): issue for issue in issues}

    async def call(self, name: str, /, **arguments: Any) -> Any:
        """Make one call that needs no ledger; an issue is described as every PM contract describes it."""
        from pv_testing.providers.jira.listings import described

        if name == "get_task" and "task_id" in arguments:
            return described(self, await self.issue(arguments["task_id"], name))
        return await super().call(name, **arguments)

    async def listing(self, name: str, /, **criteria: Any) -> AsyncIterator[dict[str, Any]]:
        """Give every item of a listing as every PM contract describes it."""
        from pv_testing.providers.jira.listings import listed

        for item in await listed(self, name, {key: str(value) for key, value in criteria.items() if value}):
            yield item


def _list(answer: Any, name: str) -> list[Any]:
    value = answer.get(name) if isinstance(answer, Mapping) else None
    if not isinstance(value, list):
        raise AmbiguousOutcome(f"Jira's answer has no {name}", code="NO_LIST_OF_ISSUES")
    return value
