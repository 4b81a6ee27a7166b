"""The provider of Asana: bodies in ``data``, listings whose tokens expire, batches of independent actions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pv_testing.config.options import chosen
from pv_testing.contracts.model import Contract
from pv_testing.core.errors import AmbiguousOutcome, PermissionDenied, Rejected, ResponseError
from pv_testing.exchange.operation import Operation
from pv_testing.providers.asana.keys import Keys, Task
from pv_testing.providers.asana.options import Options
from pv_testing.providers.rest import RestProvider
from pv_testing.transports import pagination
from pv_testing.transports.rest import RestSession

if TYPE_CHECKING:
    from pv_testing.config import SystemConfig

ACTIONS = 10
TRIES = 3
FIELDS = (
    "name", "notes", "completed", "completed_at", "created_at", "start_on", "due_on", "assignee.name", "parent.name",
    "memberships.project.name", "memberships.section.name", "custom_fields.text_value", "custom_fields.number_value",
    "actual_time_minutes",
)  # fmt: skip


class AsanaProvider(RestProvider):
    """Speaks to Asana.

    Args:
        config: the system's part of the configuration.
        contract: how Asana is spoken to.
        session: for the running event loop.

    Raises:
        ConfigError: an option is unknown or of the wrong type.
    """

    known_options: ClassVar[Mapping[str, Any]] = {field.name: field.default for field in fields(Options)}

    def __init__(self, config: SystemConfig, contract: Contract, session: RestSession) -> None:
        from pv_testing.providers.asana.sections import Sections

        super().__init__(config, contract, session)
        options = chosen(config, self.known_options)
        self.options = Options(**{name: options[name] for name in self.known_options})
        self.keys = Keys(self)
        self.sections = Sections(self)

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine."""
        from pv_testing.providers.asana.hours import EquipmentHoursOperation, OperatorHoursOperation
        from pv_testing.providers.asana.progress import ProgressOperation
        from pv_testing.providers.asana.statuses import StatusOperation
        from pv_testing.providers.asana.steps import AsanaOperation
        from pv_testing.providers.asana.tasks import TaskOperation

        steps: dict[str, type[AsanaOperation]] = {
            "create_task": TaskOperation,
            "create_subtask": TaskOperation,
            "update_task": StatusOperation,
            "update_project_progress": ProgressOperation,
            "log_time_entry": OperatorHoursOperation,
            "log_resource_usage": EquipmentHoursOperation,
        }
        return steps[name](self, self.contract.operation(name)) if name in steps else super().operation(name)

    @property
    def fields(self) -> str:
        """The fields of tasks that are read; without naming them Asana gives a name and no more."""
        return ",".join((*FIELDS, *(("external",) if self.options.external_ids else ())))

    async def ask(self, method: str, path: str, operation: str, *, key: str = "", data: Any = None, **more: Any) -> Any:
        """Send one request of an operation and return what its answer has under ``data``.

        Args:
            method: the HTTP method.
            path: relative to the base address.
            operation: whose step it is.
            key: the business key of the record.
            data: sent under ``data``; ``None`` for no body.
            more: anything else that :meth:`RestSession.request` takes.

        Raises:
            AmbiguousOutcome: a write was answered with something else.
            ResponseError: a read was.
        """
        spec = replace(self.contract.operation(operation), success=frozenset())
        body = None if data is None else {"data": data}
        classify = self.contract.classify(spec)
        response = await self.session.request(
            method, path, operation=operation, key=key, json=body, classify=classify, **more
        )
        answer = response.json()
        if not isinstance(answer, Mapping) or "data" not in answer:
            unclear = ResponseError if method == "GET" else AmbiguousOutcome
            raise unclear("Asana's answer has no data", key=key, code="NO_DATA", excerpt=response.text)
        return answer["data"]

    async def task(self, gid: Any, operation: str, *, key: str = "") -> dict[str, Any]:
        """Return one task.

        Args:
            gid: its number.
            operation: whose step it is.
            key: the business key of the record.

        Raises:
            NotFound: there is none, or this account may not see it.
        """
        return dict(await self.ask("GET", f"/tasks/{int(gid)}", operation, key=key, params={"opt_fields": self.fields}))

    async def tasks(self, path: str, operation: str) -> list[dict[str, Any]]:
        """Return all tasks of a listing."""
        return await self.all(path, operation, {"opt_fields": self.fields})

    async def all(self, path: str, operation: str, params: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return all items of a listing; from its beginning again where a token expires on the way.

        Args:
            path: of the listing.
            operation: whose step it is.
            params: the query's other parameters.
        """
        spec = replace(self.contract.operation(operation), success=frozenset())
        classify = self.contract.classify(spec)
        for tries in range(1, TRIES + 1):
            items = pagination.items(
                self.session,
                path,
                self.contract.pagination,
                params,
                item_id=lambda item: item.get("gid"),
                operation=operation,
                classify=classify,
            )
            try:
                return [item async for item in items]
            except Rejected as error:
                if error.code != "OFFSET_EXPIRED" or tries == TRIES:
                    raise
        raise AssertionError("a listing ends")

    async def batch(self, actions: Sequence[Mapping[str, Any]], operation: str, **more: Any) -> list[Mapping[str, Any]]:
        """Send independent actions, ten at the most in one request, and return an answer each.

        Args:
            actions: none may need what another one does: Asana runs them side by side, in any order.
            operation: whose step it is.
            more: anything else that :meth:`ask` takes.

        Raises:
            AmbiguousOutcome: there are more or fewer answers than actions.
        """
        answers = await self.ask("POST", "/batch", operation, data={"actions": list(actions)}, **more)
        if not isinstance(answers, list) or len(answers) != len(actions):
            raise AmbiguousOutcome("Asana's answer speaks of other actions than were sent", code="BATCH_INCOMPLETE")
        return answers

    async def read_many(self, gids: Sequence[str], operation: str) -> list[Task]:
        """Return those of many tasks that are there, ten a request."""
        tasks: list[Task] = []
        options = {"fields": self.fields.split(",")}
        for start in range(0, len(gids), ACTIONS):
            part = gids[start : start + ACTIONS]
            actions = [{"method": "get", "relative_path": f"/tasks/{gid}", "options": options} for gid in part]
            for answer in await self.batch(actions, operation, repeatable=True):
                status = answer.get("status_code")
                if status == 200:
                    tasks.append(answer["body"]["data"])
                elif status != 404:
                    refused = PermissionDenied if status in {401, 403} else ResponseError
                    raise refused(f"Asana refuses a read with {status}", excerpt=str(answer.get("body")))
        return tasks

    async def call(self, name: str, /, **arguments: Any) -> Any:
        """Make one call that needs no ledger; a task is described as every PM contract describes it."""
        from pv_testing.providers.asana.listings import described

        if name == "get_task" and "task_id" in arguments:
            return described(self, await self.task(arguments["task_id"], name))
        return await super().call(name, **arguments)

    async def listing(self, name: str, /, **criteria: Any) -> AsyncIterator[dict[str, Any]]:
        """Give every item of a listing as every PM contract describes it."""
        from pv_testing.providers.asana.listings import listed

        for item in await listed(self, name, {key: str(value) for key, value in criteria.items() if value}):
            yield item
